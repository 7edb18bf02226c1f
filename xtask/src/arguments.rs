//! The command line of `cargo xtask`, after the command's name.

/// Words that no one has taken yet.
pub struct Arguments(Vec<String>);

impl Arguments {
    /// All words after the command.
    pub fn new(words: impl Iterator<Item = String>) -> Arguments {
        Arguments(words.collect())
    }

    /// Takes `name` out; true if it was there.
    pub fn flag(&mut self, name: &str) -> bool {
        let found = self.0.iter().position(|word| word == name);
        found.map(|index| self.0.remove(index)).is_some()
    }

    /// Takes `name VALUE` out.
    pub fn option(&mut self, name: &str) -> Result<Option<String>, String> {
        let Some(index) = self.0.iter().position(|word| word == name) else { return Ok(None) };
        self.0.remove(index);
        if index == self.0.len() {
            return Err(format!("{name} wants a value"));
        }
        Ok(Some(self.0.remove(index)))
    }

    /// Takes `--host H --port P` out: 127.0.0.1 and 9042 unless said otherwise.
    pub fn node(&mut self) -> Result<(String, u16), String> {
        let host = self.option("--host")?.unwrap_or_else(|| "127.0.0.1".to_owned());
        let port = match self.option("--port")? {
            None => 9042,
            Some(port) => port.parse().map_err(|_| format!("--port {port} is no port"))?,
        };
        Ok((host, port))
    }

    /// The last word that is left, if any; what is left beside it is an error.
    pub fn rest(&mut self) -> Result<Option<String>, String> {
        let last = self.0.pop();
        match self.0.first().or(last.as_ref().filter(|word| word.starts_with("--"))) {
            Some(unknown) => Err(format!("{unknown}: not understood")),
            None => Ok(last),
        }
    }

    /// All words that are left.
    pub fn all(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0)
    }
}
