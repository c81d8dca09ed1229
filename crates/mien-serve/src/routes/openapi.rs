//! The OpenAPI document, generated from the types that the API sends.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema as _};

use super::{api, live};
use crate::app::App;
use crate::protocol::{RawProbabilities, SmoothedProbabilities};

#[derive(OpenApi)]
#[openapi(
    info(title = "Mien", description = "Displayed facial emotions in pictures and in the server's live source."),
    paths(
        api::about, api::open_session, api::analyze, api::models, api::health, api::metrics, document, live::live,
        live::stream
    ),
    components(schemas(crate::protocol::SceneReport)),
    security(("token" = [])),
    modifiers(&WithToken)
)]
struct Document;

struct WithToken;

impl Modify for WithToken {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        document.components.get_or_insert_with(Default::default).add_security_scheme("token", scheme);
    }
}

/// This document.
#[utoipa::path(get, path = api::OPENAPI, responses(
    (status = 200, description = "OpenAPI", body = Object),
    (status = 401, description = "No token, or a wrong one", body = crate::protocol::ErrorReport),
    (status = 429, description = "Too many requests", body = crate::protocol::ErrorReport),
))]
pub async fn document(State(app): State<Arc<App>>) -> Json<utoipa::openapi::OpenApi> {
    let mut document = Document::openapi();
    // The generated schemas describe the emotions; replace them by those of this model's classes.
    let schemas = &mut document.components.get_or_insert_with(Default::default).schemas;
    schemas.insert(RawProbabilities::name().into_owned(), RawProbabilities::schema_of(&app.classes));
    schemas.insert(SmoothedProbabilities::name().into_owned(), SmoothedProbabilities::schema_of(&app.classes));
    if !app.classes.are_emotions() {
        let description = format!("What faces show ({}) in pictures and in the server's live source.", app.classes);
        document.info.description = Some(description);
    }
    Json(document)
}
