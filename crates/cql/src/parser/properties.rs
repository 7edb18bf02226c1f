//! `WITH name = value AND …`

use std::collections::HashSet;

use super::Parser;
use super::failure::Parse;
use crate::ast::{Property, PropertyValue, Term};
use crate::lexer::{Class, Kind};

/// Properties read so far; a name may come once only.
#[derive(Default)]
pub(super) struct PropertyList {
    list: Vec<Property>,
    names: HashSet<String>,
}

impl PropertyList {
    /// In order of appearance.
    pub(super) fn into_list(self) -> Vec<Property> {
        self.list
    }
}

impl Parser<'_> {
    /// `property AND property …`
    pub(super) fn properties(&mut self) -> Parse<Vec<Property>> {
        let mut properties = PropertyList::default();
        self.and_separated(|parser| parser.property(&mut properties))?;
        Ok(properties.into_list())
    }

    /// `[WITH property AND …]`
    pub(super) fn optional_properties(&mut self) -> Parse<Vec<Property>> {
        match self.accept(Kind::With)? {
            true => self.properties(),
            false => Ok(Vec::new()),
        }
    }

    /// `name = value`, added to those before it.
    pub(super) fn property(&mut self, properties: &mut PropertyList) -> Parse<()> {
        if !self.kind().is_name() {
            return self.no_viable(1);
        }
        if self.look(2)? != Kind::Equal {
            return self.no_viable(2);
        }
        let third = self.look(3)?;
        let word = matches!(third.class(), Class::Basic | Class::Native(_) | Class::Column);
        if third != Kind::OpenBrace && !third.is_constant() && !word {
            return self.no_viable(3);
        }
        self.decided(3)?;
        let name = self.identifier()?;
        self.expect(Kind::Equal)?;
        let value = match third {
            Kind::OpenBrace => PropertyValue::Map(self.property_map()?),
            _ if third.is_constant() => PropertyValue::Text(self.constant()?.text),
            _ => PropertyValue::Text(self.property_word()?),
        };
        if !properties.names.insert(name.clone()) {
            return self.refuse(format!("Multiple definitions for property '{name}'"));
        }
        properties.list.push(Property { name, value });
        Ok(())
    }

    /// A keyword as value: types in lower case, all else as written.
    fn property_word(&mut self) -> Parse<String> {
        match self.kind().class() {
            Class::Native(_) => self.identifier(),
            _ => self.take_content(),
        }
    }

    /// `{'a': 'b', …}` with constants only.
    pub(super) fn property_map(&mut self) -> Parse<Vec<(String, String)>> {
        let entries = self.map_literal()?;
        let mut found = Vec::new();
        let mut names = HashSet::new();
        for (key, value) in entries {
            let Term::Literal(name) = &key else {
                let hint = marker_hint(&key);
                return self.refuse(format!("Invalid property name: {key}{hint}"));
            };
            let Term::Literal(text) = &value else {
                let hint = marker_hint(&value);
                return self.refuse(format!("Invalid property value: {value} for property: {key}{hint}"));
            };
            if !names.insert(name.text.clone()) {
                return self.refuse(format!("Multiple definition for property {}", name.text));
            }
            found.push((name.text.clone(), text.text.clone()));
        }
        Ok(found)
    }
}

fn marker_hint(term: &Term) -> &'static str {
    match term {
        Term::Marker(_) => " (bind variables are not supported in DDL queries)",
        _ => "",
    }
}
