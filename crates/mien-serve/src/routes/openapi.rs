//! The OpenAPI document, generated from the types that the API sends.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi, ToSchema as _};

use super::{api, is_public, live, visit};
use crate::access::Refusal;
use crate::app::App;
use crate::protocol::{ErrorReport, RawProbabilities, SmoothedProbabilities};

#[derive(OpenApi)]
#[openapi(
    info(title = "Mien", description = "Displayed facial emotions in pictures and in the server's live source."),
    paths(
        api::about, api::open_session, api::analyze, api::models, api::health, api::metrics, document, live::live,
        live::stream, live::watch, live::overlay, visit::visit
    ),
    components(schemas(
        crate::protocol::SceneReport, crate::protocol::ServerMessage, crate::protocol::VisitorCommand
    )),
    security(("token" = [])),
    modifiers(&WithToken, &WithRefusals)
)]
struct Document;

struct WithToken;

impl Modify for WithToken {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        document.components.get_or_insert_with(Default::default).add_security_scheme("token", scheme);
    }
}

/// Adds what can happen to a request to any path: it is refused before its route sees it, or the route panics.
struct WithRefusals;

impl Modify for WithRefusals {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            let refusals = Refusal::ALL.into_iter().filter(|kind| *kind != Refusal::NoToken || !is_public(path));
            let answers = refusals
                .map(|kind| (kind.status(), kind.meaning()))
                .chain([(StatusCode::INTERNAL_SERVER_ERROR, "The server failed on it")]);
            for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
                for (status, meaning) in answers.clone() {
                    let content = Content::new(Some(Ref::from_schema_name(ErrorReport::name())));
                    let answer = ResponseBuilder::new().description(meaning).content("application/json", content);
                    operation.responses.responses.insert(status.as_str().to_owned(), answer.into());
                }
            }
        }
    }
}

/// This document.
#[utoipa::path(get, path = api::OPENAPI, responses((status = 200, description = "OpenAPI", body = Object)))]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_tells_how_requests_to_it_are_refused() {
        let document = Document::openapi();
        for (path, item) in &document.paths.paths {
            let operations: Vec<_> = [&item.get, &item.post].into_iter().flatten().collect();
            assert_eq!(operations.len(), 1, "{path}");
            let is_told = |kind: Refusal| operations[0].responses.responses.contains_key(kind.status().as_str());
            for kind in Refusal::ALL {
                assert!(is_told(kind) || (kind == Refusal::NoToken && is_public(path)), "{path}: {kind:?}");
            }
        }
    }
}
