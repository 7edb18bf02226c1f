//! Commands as they are typed: names, options, arguments. A pure function from words to a [`Parsed`].
//!
//! As in Cassandra an option that a command does not have is taken for an argument, and `--` ends options.
//!
//! Read in order: [`Parsed`], [`parse`], [`specs`](super::specs) (the table of commands).
//!
//! Never here: what a command does.

use super::specs::{LATER, SPECS};

/// A command that there is.
#[derive(Debug)]
pub struct Spec {
    /// What is typed.
    pub name: &'static str,
    /// Other names of it.
    pub aliases: &'static [&'static str],
    /// One line for the list of commands.
    pub about: &'static str,
    /// Its own options.
    pub options: &'static [Opt],
    /// Its arguments, for the usage.
    pub arguments: &'static str,
    /// Most arguments.
    pub arguments_max: usize,
}

/// An option.
#[derive(Debug)]
pub struct Opt {
    /// All its names; the first stands for it.
    pub names: &'static [&'static str],
    /// What its value is called, if it has one.
    pub value: Option<&'static str>,
    /// What it is for.
    pub about: &'static str,
}

/// What was typed.
#[derive(Debug)]
pub struct Parsed {
    /// The command.
    pub spec: &'static Spec,
    /// First name of each option given, and its value.
    options: Vec<(&'static str, Option<String>)>,
    /// The rest.
    pub arguments: Vec<String>,
}

/// What was typed makes no sense. `Display` is the text for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// As Cassandra says it, with a hint at `help`; ends with 1.
    Usage(String),
    /// A command of Cassandra's that a later step brings; ends with 1.
    Later(String),
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CommandError::Usage(text) => {
                write!(f, "nodetool: {text}\nSee 'nodetool help' or 'nodetool help <command>'.")
            }
            CommandError::Later(name) => {
                write!(
                    f,
                    "nodetool: {name} is not yet supported by Helenus; a later step brings it (see COMPAT.md)"
                )
            }
        }
    }
}

impl Parsed {
    /// True if the option was given.
    pub fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(given, _)| *given == name)
    }

    /// The value of an option; the last one counts.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.options.iter().rfind(|(given, _)| *given == name)?.1.as_deref()
    }

    /// An argument.
    pub fn argument(&self, index: usize) -> Option<&str> {
        self.arguments.get(index).map(String::as_str)
    }
}

/// The command of that name.
pub fn find(name: &str) -> Option<&'static Spec> {
    SPECS.iter().find(|spec| spec.name == name || spec.aliases.contains(&name))
}

/// True for a command of Cassandra's that is still to come.
pub fn comes_later(name: &str) -> bool {
    LATER.lines().filter_map(|line| line.split_once('\t')).any(|(later, _)| later == name)
}

/// Takes words apart: the command first, then its options and arguments in any order.
pub fn parse(words: &[String]) -> Result<Parsed, CommandError> {
    let Some((name, rest)) = words.split_first() else {
        return Err(CommandError::Usage("a command is missing".to_owned()));
    };
    let Some(spec) = find(name) else {
        if comes_later(name) {
            return Err(CommandError::Later(name.clone()));
        }
        return Err(CommandError::Usage(format!("Found unexpected parameters: [{}]", words.join(", "))));
    };
    let mut parsed = Parsed { spec, options: Vec::new(), arguments: Vec::new() };
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            parsed.arguments.extend(rest.by_ref().cloned());
            break;
        }
        let (name, attached) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value)),
            _ => (word.as_str(), None),
        };
        let Some(option) = spec.options.iter().find(|option| option.names.contains(&name)) else {
            parsed.arguments.push(word.clone());
            continue;
        };
        let value = match (option.value, attached) {
            (None, _) => None,
            (Some(_), Some(value)) => Some(value.to_owned()),
            (Some(what), None) => Some(rest.next().cloned().ok_or_else(|| {
                CommandError::Usage(format!("Required values for option '{what}' not provided"))
            })?),
        };
        parsed.options.push((option.names[0], value));
    }
    if parsed.arguments.len() > spec.arguments_max {
        let extra = parsed.arguments[spec.arguments_max..].join(", ");
        return Err(CommandError::Usage(format!("Found unexpected parameters: [{extra}]")));
    }
    Ok(parsed)
}
