//! A progress bar for people: one line that is drawn anew, on a terminal only.

use std::io::{self, IsTerminal, Write};

const WIDTH: u64 = 30;

/// One piece of work. Nothing is drawn where standard error is no terminal.
pub struct ProgressBar {
    label: String,
    is_shown: bool,
    drawn: Option<u64>,
}

impl ProgressBar {
    /// Of work that is called `label`.
    pub fn new(label: impl Into<String>) -> ProgressBar {
        ProgressBar { label: label.into(), is_shown: io::stderr().is_terminal(), drawn: None }
    }

    /// So much is done. Draws only when a whole percent more is.
    pub fn update(&mut self, done: u64, total: u64) {
        let percent = (u128::from(done.min(total)) * 100 / u128::from(total.max(1))) as u64;
        if !self.is_shown || self.drawn == Some(percent) {
            return;
        }
        self.drawn = Some(percent);
        let full = (percent * WIDTH / 100) as usize;
        let bar: String = (0..WIDTH as usize).map(|i| if i < full { '#' } else { '.' }).collect();
        // A terminal that went away is no reason to stop.
        let _ = write!(io::stderr(), "\r{} [{bar}] {percent:3} %", self.label);
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
