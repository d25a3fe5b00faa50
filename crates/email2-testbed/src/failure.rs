//! Why the testbed could not do something: never a verdict, always a broken set-up.

/// A step of setting the world up, and what went wrong.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {why}")]
pub struct Failure {
    /// What was being done.
    pub step: String,
    /// What went wrong.
    pub why: String,
}

/// Result of a step.
pub type Outcome<T> = Result<T, Failure>;

/// Names the step that an error came from.
pub trait Step<T> {
    /// Turns any error into a [`Failure`] of `step`.
    ///
    /// # Errors
    /// The error that was there.
    fn step(self, step: impl Into<String>) -> Outcome<T>;
}

impl<T, E: std::fmt::Display> Step<T> for Result<T, E> {
    fn step(self, step: impl Into<String>) -> Outcome<T> {
        self.map_err(|error| Failure {
            step: step.into(),
            why: error.to_string(),
        })
    }
}

impl<T> Step<T> for Option<T> {
    fn step(self, step: impl Into<String>) -> Outcome<T> {
        self.ok_or_else(|| Failure {
            step: step.into(),
            why: "there is none".to_owned(),
        })
    }
}
