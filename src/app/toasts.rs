//! Messages on the screen: errors and offers stay until dismissed, news disappears after a while.

use std::path::PathBuf;

/// Maximum number of messages shown at a time, so that they can't fill the screen; with news, one more.
const MOST: usize = 4;

/// Seconds after which news disappears; it is read at a glance.
const NEWS_SECS: f64 = 12.0;

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Toast {
    /// Unique, even among messages with the same text.
    pub id: u64,
    /// What happened and what to do, as one or two sentences.
    pub text: String,
    /// How often it was reported while on the screen.
    pub times: u32,
    /// Whether something went wrong.
    pub is_error: bool,
    /// When it disappears, on the window's clock; `None` for errors and offers.
    pub until: Option<f64>,
    /// The recording that its button opens.
    pub opens: Option<PathBuf>,
}

/// The messages on the screen, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Toasts {
    shown: Vec<Toast>,
    next_id: u64,
    now: f64,
}

impl Toasts {
    /// Shows an error. If a message with the same text is on the screen, its count goes up instead.
    pub fn error(&mut self, text: impl Into<String>) {
        self.show(text.into(), true, None, None);
    }

    /// Shows an error with a button that opens a recording.
    pub fn error_with_offer(&mut self, text: impl Into<String>, recording: PathBuf) {
        self.show(text.into(), true, None, Some(recording));
    }

    /// Shows good news with a button that opens a recording. It stays until dismissed.
    pub fn offer(&mut self, text: impl Into<String>, recording: PathBuf) {
        self.show(text.into(), false, None, Some(recording));
    }

    /// Shows good news, or why nothing happens, for a limited time.
    pub fn news(&mut self, text: impl Into<String>) {
        self.show(text.into(), false, Some(self.now + NEWS_SECS), None);
    }

    /// Sets the time in seconds, and removes expired messages.
    pub fn tick(&mut self, now: f64) {
        self.now = now;
        self.shown.retain(|toast| toast.until.is_none_or(|until| until > now));
    }

    /// Seconds until the next message expires.
    pub fn next_end(&self) -> Option<f64> {
        self.shown.iter().filter_map(|toast| toast.until).map(|until| (until - self.now).max(0.0)).reduce(f64::min)
    }

    fn show(&mut self, text: String, is_error: bool, until: Option<f64>, opens: Option<PathBuf>) {
        if let Some(same) = self.shown.iter_mut().find(|toast| toast.text == text) {
            same.times += 1;
            same.until = until;
            return;
        }
        self.shown.push(Toast { id: self.next_id, text, times: 1, is_error, until, opens });
        self.next_id += 1;
        while self.shown.len() > MOST {
            // Remove news first: errors and offers wait for the user. News that find only these get a place for their short time.
            let older = &self.shown[..self.shown.len() - 1];
            let oldest_news = older.iter().position(|toast| toast.until.is_some());
            let Some(place) = oldest_news.or(until.is_none().then_some(0)) else { break };
            self.shown.remove(place);
        }
    }

    /// Removes a message.
    pub fn dismiss(&mut self, id: u64) {
        self.shown.retain(|toast| toast.id != id);
    }

    /// Removes a message that no longer holds.
    pub fn withdraw(&mut self, text: &str) {
        self.shown.retain(|toast| toast.text != text);
    }

    /// The messages on the screen, oldest first.
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
    fn news_that_no_longer_hold_go_at_once_and_are_counted_anew() {
        let mut toasts = Toasts::default();
        toasts.news("a");
        toasts.news("b");
        toasts.withdraw("a");
        toasts.news("a");
        assert_eq!(toasts.shown().iter().map(|t| (t.text.as_str(), t.times)).collect::<Vec<_>>(), [("b", 1), ("a", 1)]);
    }

    #[test]
    fn news_go_by_themselves_and_errors_do_not() {
        let mut toasts = Toasts::default();
        toasts.tick(5.0);
        toasts.error("a");
        toasts.news("b");
        assert_eq!(toasts.next_end(), Some(NEWS_SECS));
        toasts.tick(5.0 + NEWS_SECS - 1.0);
        assert_eq!(toasts.shown().len(), 2);
        toasts.tick(5.0 + NEWS_SECS);
        assert_eq!(toasts.shown().iter().map(|toast| toast.text.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(toasts.next_end(), None);
    }

    #[test]
    fn an_offer_waits_for_the_user_and_is_no_error() {
        let mut toasts = Toasts::default();
        toasts.offer("a", "/recording".into());
        toasts.tick(NEWS_SECS * 9.0);
        assert!(!toasts.shown()[0].is_error && toasts.shown()[0].opens.is_some());
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

    #[test]
    fn news_make_room_before_an_error_that_nobody_has_read() {
        let mut toasts = Toasts::default();
        toasts.error("an error");
        (0..9).for_each(|i| toasts.news(format!("news {i}")));
        let texts: Vec<_> = toasts.shown().iter().map(|toast| toast.text.as_str()).collect();
        assert_eq!(texts, ["an error", "news 6", "news 7", "news 8"]);
    }

    #[test]
    fn news_are_shown_beside_any_number_of_errors() {
        let mut toasts = Toasts::default();
        (0..9).for_each(|i| toasts.error(format!("error {i}")));
        toasts.news("news");
        toasts.news("more news");
        let texts: Vec<_> = toasts.shown().iter().map(|toast| toast.text.as_str()).collect();
        assert_eq!(texts, ["error 5", "error 6", "error 7", "error 8", "more news"]);
        toasts.error("error 9");
        assert_eq!(toasts.shown().len(), MOST);
    }
}
