//! Reads recipes, and reports all mistakes at once, each with its line.

use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use toml::de::DeTable;

use super::Recipe;
use super::fields::{Field, Step, assembled, fields_of, first_line, is_in, line_of, name_of};
use super::mistakes::{Mistake, Problems, Told, in_words};
use mien_core::bounded;
use mien_net::{BuildError, SpecError};

/// The commented template that `mien recipe new` writes; `NAME` stands for the recipe's name.
pub const TEMPLATE: &str = include_str!("template.toml");

/// Size limit of a recipe in bytes. Mien's own have less than 4000; the time to check one grows with the square of its number of fields.
const MOST_BYTES: u64 = 64 << 10;

/// A recipe can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The file can't be read.
    #[error("can't read the recipe {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, or not a valid recipe.
    #[error("the recipe {path} {}", Told(.mistakes))]
    Mistakes {
        /// Which file.
        path: PathBuf,
        /// All mistakes, by line.
        mistakes: Vec<Mistake>,
    },
}

impl Recipe {
    /// Reads and checks a recipe, including that its network can be built. Missing fields have defaults; a missing name becomes the file's.
    ///
    /// # Errors
    /// When the file can't be read, or has unknown fields or values that can't be used. All mistakes are reported.
    pub fn read(path: &Path) -> Result<Self, RecipeError> {
        let text = read_text(path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        parse(&text, &name).map_err(|mistakes| RecipeError::Mistakes { path: path.to_owned(), mistakes })
    }
}

/// The text of a recipe of any kind.
///
/// # Errors
/// When the file can't be read or is too large for a recipe.
pub fn read_text(path: &Path) -> Result<String, RecipeError> {
    bounded::read_text(path, MOST_BYTES).map_err(|source| RecipeError::Read { path: path.to_owned(), source })
}

/// Reads a recipe of a kind whose required fields have no defaults, and checks it with `problems`.
///
/// # Errors
/// When the file can't be read, a field is unknown, missing or of the wrong type, or values can't be used. Of the latter, all are reported.
pub fn read_whole<R: DeserializeOwned>(path: &Path, problems: impl Fn(&R) -> Problems) -> Result<R, RecipeError> {
    let text = read_text(path)?;
    let mistaken = |mistakes| RecipeError::Mistakes { path: path.to_owned(), mistakes };
    let recipe: R = toml::from_str(&text).map_err(|error| mistaken(vec![syntax_mistake(&text, &error)]))?;
    let mut mistakes = Vec::new();
    let fields = fields_of(&text, DeTable::parse_recoverable(&text).0.get_ref(), &mut mistakes);
    add_problems(&problems(&recipe), &fields, &mut mistakes);
    if mistakes.is_empty() { Ok(recipe) } else { Err(mistaken(mistakes)) }
}

fn syntax_mistake(text: &str, error: &toml::de::Error) -> Mistake {
    Mistake { line: error.span().map(|span| line_of(text, span.start)), problem: in_words(error.message()) }
}

/// Adds problems with values, each with the line of its field, and sorts all mistakes by line.
fn add_problems(problems: &Problems, fields: &[Field], mistakes: &mut Vec<Mistake>) {
    for problem in problems.iter() {
        let line = first_line(fields, |name| name == problem.field || is_in(name, problem.field));
        let line = line.or_else(|| {
            let (table, _) = problem.field.rsplit_once('.')?;
            first_line(fields, |name| is_in(name, table))
        });
        if !mistakes.iter().any(|known| known.line.is_some() && known.line == line) {
            mistakes.push(Mistake { line, problem: problem.to_string() });
        }
    }
    mistakes.sort_by_key(|mistake| mistake.line);
}

/// Parses the recipe in `text`, or returns all its mistakes by line. `name` is its name if it sets none.
fn parse(text: &str, name: &str) -> Result<Recipe, Vec<Mistake>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let mut mistakes: Vec<Mistake> = errors.iter().map(|error| syntax_mistake(text, error)).collect();
        mistakes.sort_by_key(|mistake| mistake.line);
        return Err(mistakes);
    }
    let mut mistakes = Vec::new();
    let fields = fields_of(text, document.get_ref(), &mut mistakes);
    let mut recipe = accept(&fields, &mut mistakes);
    complete(&mut recipe, name);
    // Fields of a wrong type have their defaults here, so they aren't reported twice.
    add_problems(&recipe.problems(), &fields, &mut mistakes);
    if mistakes.is_empty() { Ok(recipe) } else { Err(mistakes) }
}

/// Fills in a missing name and description.
fn complete(recipe: &mut Recipe, name: &str) {
    if recipe.name.is_empty() {
        name.clone_into(&mut recipe.name);
    }
    if recipe.description.is_empty() {
        recipe.description =
            format!("The network {}, trained by the recipe {}.", recipe.network.architecture, recipe.name);
    }
}

/// Builds the recipe from those of `fields` that fit; the others become mistakes. Each is tried together with all that fit, so
/// that one mistake doesn't hide another.
fn accept(fields: &[Field], mistakes: &mut Vec<Mistake>) -> Recipe {
    let read = |fields: &[&Field]| Recipe::deserialize(assembled(fields)).map_err(|e| e.message().to_owned());
    let all: Vec<&Field> = fields.iter().collect();
    if let Ok(recipe) = read(&all)
        && network_fits(&recipe).is_ok()
    {
        return recipe;
    }
    let (deciding, others): (Vec<&Field>, Vec<&Field>) = fields.iter().partition(|field| field.is_deciding());
    let mut fitting = Vec::new();
    let mut broken: Vec<&[Step]> = Vec::new();
    for field in deciding.into_iter().chain(others) {
        if broken.contains(&field.table()) {
            continue;
        }
        fitting.push(field);
        let network = name_of(field.table()) == "network";
        let tried = read(&fitting).and_then(|recipe| if network { network_fits(&recipe) } else { Ok(()) });
        if let Err(problem) = tried {
            fitting.pop();
            // Without this field, no other field of the table can be checked.
            if field.is_deciding() || problem.starts_with("missing field") {
                broken.push(field.table());
            }
            let is_named = matches!(field.way.last(), Some(Step::Key(key)) if problem.contains(&format!("`{key}`")));
            let problem = if is_named { problem } else { format!("`{}`: {problem}", field.name()) };
            mistakes.push(Mistake { line: Some(field.line), problem: in_words(&problem) });
        }
    }
    read(&fitting).unwrap_or_default()
}

/// Checks that the recipe's network can be built, before hours are spent on reading data.
fn network_fits(recipe: &Recipe) -> Result<(), String> {
    let Err(error) = recipe.network.cost(recipe.classes.len()) else { return Ok(()) };
    if let SpecError::Build { source, .. } = &error
        && let BuildError::Parameters(source) = source.as_ref()
    {
        return Err(source.message().to_owned());
    }
    Err(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Planned as _;

    fn mistakes(text: &str) -> Vec<(Option<usize>, String)> {
        parse(text, "file").unwrap_err().into_iter().map(|mistake| (mistake.line, mistake.problem)).collect()
    }

    fn assert_told(text: &str, expected: &[(usize, &str)]) {
        let found = mistakes(text);
        assert_eq!(
            found.iter().map(|(line, _)| line.unwrap_or(0)).collect::<Vec<_>>(),
            expected.iter().map(|e| e.0).collect::<Vec<_>>(),
            "{found:#?}"
        );
        for ((_, problem), (_, word)) in found.iter().zip(expected) {
            assert!(problem.contains(word), "{word}: {problem}");
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once_each_with_its_line() {
        let text = "name = \"a/b\"\nsede = 3\nepochs = 0\nbatch_size = \"many\"\n\n[network]\narchitecture = \"cnn4\"\nwidth = 3\n\n\
                    [optimizer]\nkind = \"adam\"\nlearning_rate = nan\nmomentun = 0.5\n[loss]\nkind = \"focal\"\ngama = 1.0\n\
                    [augmentation]\nflip = 1\nerase = 3.0\n";
        assert_told(
            text,
            &[
                (1, "`name`"),
                (2, "`sede`"),
                (3, "`epochs`"),
                (4, "`batch_size`"),
                (8, "`width`"),
                (12, "`optimizer.learning_rate`"),
                (13, "`momentun`"),
                (16, "`gama`"),
                (18, "`augmentation.flip`"),
                (19, "`augmentation.erase`"),
            ],
        );
    }

    #[test]
    fn values_that_no_training_can_mean_are_told() {
        assert_told(
            "[normalization]\nmean = 127.5\nstd = 63.75\n[augmentation]\ncontrast = 1.5\n\
             sharpness = 2\nlevels = 5\ngamma = 5\n",
            &[
                (2, "`normalization.mean` has to be from 0 to 1"),
                (3, "`normalization.std` has to be greater than 0 and at most 1"),
                (5, "`augmentation.contrast` has to be from 0 to 1"),
                (6, "`augmentation.sharpness` has to be from 0 to 1"),
                (7, "`augmentation.levels` has to be from 0 to 4"),
                (8, "`augmentation.gamma` has to be from 0 to 4"),
            ],
        );
    }

    #[test]
    fn a_backbone_for_a_network_without_one_is_told_once() {
        let text = |name: &str| format!("[network]\narchitecture = \"{name}\"\n[backbone]\nfrozen = true\n");
        assert!(parse(&text("mobilenet2"), "a").is_ok());
        assert_told(&text("cnn4"), &[(2, "`network.architecture` is cnn4, which has no backbone")]);
        assert_told(&text("mobilenet-2"), &[(2, "mobilenet-2")]);
        assert_told("[backbone]\nfrozen = true\n", &[(0, "is mien, which has no backbone")]);
    }

    #[test]
    fn other_models_that_are_none_or_do_not_fit_are_told() {
        let teachers = |names: &str| format!("[distillation]\nteachers = [{names}]\n");
        assert!(parse(&teachers("\"mien\", \"cnn4-ferplus\", \"runs/a/a.safetensors\""), "a").is_ok());
        assert_told(
            &teachers("\"mein\""),
            &[(2, "names mein, which is no .safetensors file and none of mien-joint, mien")],
        );
        assert_told("start_from = \"runs/a\"", &[(1, "names runs/a")]);
        assert_told("start_from = \"faces\"", &[(1, "detector")]);
        assert_told(
            "start_from = \"cnn4-ferplus\"\n[network]\narchitecture = \"mien\"",
            &[(3, "is mien, and `start_from` names cnn4-ferplus, whose network is cnn4")],
        );
    }

    #[test]
    fn numbers_that_are_too_large_to_hold_are_told_and_not_left_out() {
        let large = "99999999999999999999";
        assert_told(
            &format!(
                "seed = {large}\nepochs = -{large}\n[network]\narchitecture = \"mien\"\nblocks = [1, {large}, 1, 1]"
            ),
            &[
                (1, "`seed`: the number is too large"),
                (2, "`epochs`: the number is too large"),
                (5, "`network.blocks`: the number is too large"),
            ],
        );
    }

    #[test]
    fn mistakes_are_worded_for_people_and_not_for_programmers() {
        assert_told(
            "seed = -1\nepochs = 1.5\naverage = \"much\"\ntarget = \"mix\"\nsplit = 3\n\
             [balance]\nkind = \"none\"\ntimes = 3\n[augmentation]\nflip = 1\n",
            &[
                (1, "expected a whole number of at least 0"),
                (2, "expected a whole number of at least 0"),
                (3, "expected a number"),
                (4, "it needs a value, as in { mix = 0.3 }"),
                (5, "expected a table"),
                (8, "unknown field `times`, no others go with it"),
                (10, "expected true or false"),
            ],
        );
        for (_, problem) in mistakes("seed = -1\nsplit = 3\ntarget = \"mix\"") {
            assert!(
                !problem.contains("u64") && !problem.contains("struct") && !problem.contains("variant"),
                "{problem}"
            );
        }
    }

    #[test]
    fn a_kind_that_is_unknown_or_missing_is_one_mistake_and_not_one_for_each_field_beside_it() {
        assert_told(
            "[schedule]\nfactor = 0.5\npatience = 3\nkind = \"sometimes\"\n[optimizer]\nlearning_rate = 0.0",
            &[(4, "sometimes"), (6, "`optimizer.learning_rate`")],
        );
        assert_told("[schedule]\nfactor = 0.5\npatience = 3\n", &[(2, "`kind`")]);
        assert_told("[network]\narchitecture = \"cnn9\"\ndropout_conv = 0.5\n", &[(2, "cnn9")]);
    }

    #[test]
    fn a_rise_that_takes_the_whole_training_is_told_with_both_lengths() {
        let text = |epochs: usize, rise: f64| {
            format!("epochs = {epochs}\n[schedule]\nkind = \"cosine\"\nwarmup_epochs = {rise:?}")
        };
        assert!(parse(&text(5, 4.5), "a").is_ok());
        for rise in [5.0, 7.5] {
            let both = format!("`schedule.warmup_epochs` is {rise}, and has to be less than `epochs`, which is 5");
            assert_told(&text(5, rise), &[(4, both.as_str())]);
        }
        assert_told(&text(0, 5.0), &[(1, "`epochs`")]);
    }

    #[test]
    fn a_network_that_is_too_large_is_a_mistake_in_the_line_that_makes_it_so() {
        assert_told("[network]\narchitecture = \"mien\"\nblocks = [1, 1000000, 1, 1]", &[(3, "too large")]);
    }

    #[test]
    fn a_recipe_of_many_mistakes_is_told_and_a_larger_file_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let sources = "[[data.sources]]\nname = \"a\"\nsare = 1\n";
        let most = MOST_BYTES as usize;
        std::fs::write(file.path(), sources.repeat(most / sources.len())).unwrap();
        assert!(matches!(Recipe::read(file.path()), Err(RecipeError::Mistakes { .. })));
        std::fs::write(file.path(), "#".repeat(most + 1)).unwrap();
        assert!(matches!(Recipe::read(file.path()), Err(RecipeError::Read { .. })));
    }

    #[test]
    fn sources_in_a_list_are_told_by_their_own_line() {
        assert_told(
            "[[data.sources]]\nname = \"a\"\nshare = 0.5\n\n[[data.sources]]\nname = \"b\"\nsare = 0.5\n\
             evenly_over = \"faces\"\n",
            &[(3, "`data.sources.share` has to be given for all"), (7, "`sare`"), (8, "faces")],
        );
    }

    #[test]
    fn classes_that_can_not_be_are_told_by_their_line() {
        let many: Vec<String> = (0..21).map(|i| format!("\"c{i}\"")).collect();
        for (classes, problem) in [
            ("[\"tired\", \"Tired\"]", "“Tired” is named twice"),
            ("[\"tired\"]", "at least two"),
            ("[]", "at least two"),
            ("[\"tired\", \"\"]", "without a name"),
            (&format!("[{}]", many.join(", ")), "20 are the most"),
            ("[1, 2]", "`classes`"),
        ] {
            assert_told(&format!("seed = 1\nclasses = {classes}\nepochs = 0"), &[(2, problem), (3, "`epochs`")]);
        }
    }

    #[test]
    fn what_is_for_the_seven_emotions_does_not_go_with_own_classes() {
        let own = "classes = [\"tired\", \"awake\"]\n";
        let text = "target = \"votes\"\nstart_from = \"mien\"\n[distillation]\nteachers = [\"own.safetensors\", \"mien\"]\n\
                    [balance]\nkind = \"augment-minority\"\nclasses = [\"sad\"]\n";
        assert!(parse(text, "a").is_ok());
        assert_told(
            &format!("{own}{text}"),
            &[
                (2, "FER+ votes are for the seven emotions"),
                (3, "mien, which tells the seven emotions apart"),
                (5, "mien, which tells the seven emotions apart"),
                (8, "“sad”, which is none of tired, awake"),
            ],
        );
        assert_told("[balance]\nkind = \"augment-minority\"\nclasses = [\"tired\"]\n", &[(3, "“tired”")]);
        let recipe =
            parse(&format!("{own}[balance]\nkind = \"augment-minority\"\nclasses = [\"awake\"]"), "a").unwrap();
        assert_eq!(recipe.classes.to_string(), "tired, awake");
        // A card stores custom classes; a card without any means the emotions.
        let table = recipe.to_table().unwrap();
        assert!(recipe.is_in(&table) && !parse("", "a").unwrap().to_table().unwrap().contains_key("classes"));
    }

    #[test]
    fn text_that_is_no_toml_is_told_by_line_too() {
        let found = mistakes("epochs = \nseed = 1\nname = ]\n");
        assert_eq!(found[0].0, Some(1), "{found:?}");
        assert!(found.iter().any(|(line, _)| *line == Some(3)), "{found:?}");
    }

    #[test]
    fn every_field_has_a_default_and_the_name_is_the_files() {
        let recipe = parse("", "mine").unwrap();
        assert_eq!((recipe.name.as_str(), recipe.network.architecture.as_str()), ("mine", "mien"));
        assert!(recipe.description.contains("mine"));
        for text in [
            "[optimizer]\nkind = \"sgd\"",
            "[schedule]\nkind = \"step\"",
            "[loss]\nkind = \"focal\"",
            "[normalization]\nstd = 0.5",
        ] {
            assert!(parse(text, "mine").is_ok(), "{text}");
        }
    }

    /// The fields of a table, as serde lists them when it meets an unknown one.
    fn known_fields(table: &str, beside: &str) -> Vec<String> {
        let text =
            if table.is_empty() { "no_field = 1".to_owned() } else { format!("[{table}]\n{beside}\nno_field = 1") };
        let error = toml::from_str::<Recipe>(&text).unwrap_err().message().to_owned();
        let names: Vec<String> = error.split('`').skip(3).step_by(2).map(str::to_owned).collect();
        assert!(!names.is_empty(), "{table}: {error}");
        names
    }

    /// All fields of a recipe, such as `optimizer.kind`.
    fn all_fields() -> Vec<String> {
        let tables = [
            ("", ""),
            ("data", ""),
            ("split", ""),
            ("published", ""),
            ("backbone", ""),
            ("normalization", ""),
            ("balance", "kind = \"augment-minority\""),
            ("loss", "kind = \"cross-entropy\""),
            ("loss", "kind = \"focal\""),
            ("distillation", ""),
            ("optimizer", ""),
            ("schedule", "kind = \"plateau\""),
            ("schedule", "kind = \"cosine\""),
            ("schedule", "kind = \"one-cycle\""),
            ("schedule", "kind = \"step\""),
            ("augmentation", ""),
        ];
        let dotted = |table: &str, name: String| if table.is_empty() { name } else { format!("{table}.{name}") };
        let of = |(table, beside): (&str, &str)| -> Vec<String> {
            known_fields(table, beside).into_iter().map(|name| dotted(table, name)).collect()
        };
        let of_sources = ["name", "share", "evenly_over", "evenness"].map(|name| format!("data.sources.{name}"));
        tables.into_iter().flat_map(of).chain(of_sources).collect()
    }

    #[test]
    fn the_documentation_lists_every_field() {
        let text =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/training.md")).unwrap();
        for field in all_fields() {
            let (table, name) = field.rsplit_once('.').unwrap_or(("", &field));
            let heading = if table.is_empty() { "## Fields\n".to_owned() } else { format!("### `[{table}]`\n") };
            let (_, section) = text.split_once(&heading).unwrap_or_else(|| panic!("no section for {table}"));
            let section = section.split("\n#").next().unwrap_or_default();
            assert!(section.contains(&format!("| `{name}`")), "{field} isn't in docs/training.md");
        }
    }

    #[test]
    fn the_template_is_a_recipe_and_what_it_comments_out_is_the_default() {
        let text = TEMPLATE.replace("NAME", "mine");
        let recipe = parse(&text, "mine").unwrap();
        assert_eq!(recipe.name, "mine");
        for field in all_fields() {
            let (_, name) = field.rsplit_once('.').unwrap_or(("", &field));
            let is_named = |line: &str| line.contains(&format!("{name} =")) || line.contains(&format!("[{name}]"));
            assert!(text.lines().any(is_named), "{field} isn't in the template");
        }
        // Plain values that are commented out are the defaults.
        let section = text.split("[augmentation]").nth(1).unwrap().split("\n\n").next().unwrap();
        let uncommented = format!("[augmentation]{}", section.replace("\n# ", "\n"));
        let commented = format!("[augmentation]{section}");
        assert_eq!(parse(&uncommented, "a").unwrap(), parse(&commented, "a").unwrap());
    }
}
