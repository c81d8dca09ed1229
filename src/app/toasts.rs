//! Errors and news that stay on the screen until they are dismissed.

/// Most messages shown at a time; an error that repeats must not fill the screen.
const MOST: usize = 4;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    /// Tells it from the others, also when the text is the same.
    pub id: u64,
    /// What happened and what to do, as one or two sentences.
    pub text: String,
    /// How often it happened in a row.
    pub times: u32,
}

/// The messages on the screen, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Toasts {
    shown: Vec<Toast>,
    next_id: u64,
}

impl Toasts {
    /// Shows an error. The same text as a message still on the screen is counted there.
    pub fn error(&mut self, text: impl Into<String>) {
        let text = text.into();
        if let Some(same) = self.shown.iter_mut().find(|toast| toast.text == text) {
            same.times += 1;
            return;
        }
        self.shown.push(Toast { id: self.next_id, text, times: 1 });
        self.next_id += 1;
        if self.shown.len() > MOST {
            self.shown.remove(0);
        }
    }

    /// Takes a message away.
    pub fn dismiss(&mut self, id: u64) {
        self.shown.retain(|toast| toast.id != id);
    }

    /// What is on the screen.
    pub fn shown(&self) -> &[Toast] {
        &self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_repeats_is_counted_and_not_stacked() {
        let mut toasts = Toasts::default();
        toasts.error("a");
        toasts.error("b");
        toasts.error("a");
        assert_eq!(toasts.shown().iter().map(|t| (t.text.as_str(), t.times)).collect::<Vec<_>>(), [("a", 2), ("b", 1)]);
    }

    #[test]
    fn a_message_stays_until_it_is_dismissed() {
        let mut toasts = Toasts::default();
        toasts.error("a");
        let id = toasts.shown()[0].id;
        toasts.dismiss(id + 1);
        assert_eq!(toasts.shown().len(), 1);
        toasts.dismiss(id);
        assert!(toasts.shown().is_empty());
    }

    #[test]
    fn many_errors_do_not_fill_the_screen() {
        let mut toasts = Toasts::default();
        for i in 0..20 {
            toasts.error(format!("error {i}"));
        }
        assert_eq!(toasts.shown().len(), MOST);
        assert_eq!(toasts.shown().last().unwrap().text, "error 19");
    }
}
