//! Help: the list of commands, and one command with its options.

use super::command::{Spec, comes_later, find};
use super::specs::{LATER, SPECS};

/// `help` and `help <command>`.
pub fn help(command: Option<&str>) -> String {
    match command {
        None => overview(),
        Some(name) => match find(name) {
            Some(spec) => one(spec),
            None if comes_later(name) => {
                format!("{name} is a command of Cassandra's that a later step of Helenus brings\n")
            }
            None => format!("Unknown command {name}\n"),
        },
    }
}

fn overview() -> String {
    let mut text =
        "usage: helenus nodetool [(-p <port> | --port <port>)] [(-h <host> | --host <host>)]\n        \
                    <command> [<args>]\n\nThe commands are:\n"
            .to_owned();
    for spec in SPECS {
        text.push_str(&format!("    {:<35} {}\n", spec.name, spec.about));
    }
    let later: Vec<&str> = LATER.lines().filter_map(|line| line.split('\t').next()).collect();
    text.push_str("\nCassandra's other commands come with later steps:\n");
    for names in later.chunks(6) {
        text.push_str(&format!("    {}\n", names.join(" ")));
    }
    text.push_str("\nSee 'helenus nodetool help <command>' for more information on a specific command.\n");
    text
}

fn one(spec: &Spec) -> String {
    let mut text = format!(
        "NAME\n        nodetool {} - {}\n\nSYNOPSIS\n        nodetool {}",
        spec.name, spec.about, spec.name
    );
    let named = |names: &[&str], value: Option<&str>, joined: &str| {
        let with_value: Vec<String> = names
            .iter()
            .map(|name| value.map_or_else(|| (*name).to_owned(), |value| format!("{name} <{value}>")))
            .collect();
        with_value.join(joined)
    };
    for option in spec.options {
        text.push_str(&format!(" [({})]", named(option.names, option.value, " | ")));
    }
    text.push_str(&format!(" {}\n\nOPTIONS\n", spec.arguments));
    for option in spec.options {
        text.push_str(&format!(
            "        {}\n            {}\n\n",
            named(option.names, option.value, ", "),
            option.about
        ));
    }
    if !spec.aliases.is_empty() {
        text.push_str(&format!("        Also known as {}\n\n", spec.aliases.join(", ")));
    }
    text
}
