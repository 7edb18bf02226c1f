//! Types.

use super::Parser;
use super::failure::Parse;
use crate::ast::{NativeType, TypeName};
use crate::lexer::{Class, Kind};

impl Parser<'_> {
    /// Any type, native or not.
    pub(super) fn type_name(&mut self) -> Parse<TypeName> {
        self.nested(Parser::type_name_here)
    }

    fn type_name_here(&mut self) -> Parse<TypeName> {
        let first = self.kind();
        match first {
            Kind::String => {
                self.decided(1)?;
                Ok(TypeName::Custom(self.take_content()?))
            }
            Kind::Set => {
                self.decided(1)?;
                self.set_type()
            }
            Kind::Map | Kind::List | Kind::Tuple | Kind::Vector | Kind::Frozen => match self.look(2)? {
                Kind::Less => {
                    self.decided(2)?;
                    self.parametric_type(first)
                }
                Kind::Dot => {
                    self.decided(2)?;
                    Ok(TypeName::User(self.user_type_name()?))
                }
                next if self.type_ends(next)? => Ok(TypeName::User(self.user_type_name()?)),
                _ => self.no_viable(2),
            },
            _ => match first.class() {
                Class::Native(native) => match self.look(2)? {
                    Kind::Dot => {
                        self.decided(2)?;
                        Ok(TypeName::User(self.user_type_name()?))
                    }
                    next if self.type_ends(next)? => {
                        self.advance()?;
                        Ok(TypeName::Native(native))
                    }
                    _ => self.no_viable(2),
                },
                _ if first.is_name() => {
                    self.decided(1)?;
                    Ok(TypeName::User(self.user_type_name()?))
                }
                _ => self.no_viable(1),
            },
        }
    }

    /// Whether a type can end before this token, which is the second from here.
    fn type_ends(&mut self, next: Kind) -> Parse<bool> {
        let ends = matches!(
            next,
            Kind::Finalfunc
                | Kind::Initcond
                | Kind::Language
                | Kind::Masked
                | Kind::Primary
                | Kind::Static
                | Kind::Close
                | Kind::Comma
                | Kind::Semicolon
                | Kind::Greater
        );
        if ends {
            self.decided(2)?;
        }
        Ok(ends || next == Kind::Eof)
    }

    fn set_type(&mut self) -> Parse<TypeName> {
        self.advance()?;
        self.expect(Kind::Less)?;
        let element = self.type_name()?;
        self.expect(Kind::Greater)?;
        Ok(TypeName::Set(Box::new(element)))
    }

    fn parametric_type(&mut self, first: Kind) -> Parse<TypeName> {
        self.advance()?;
        self.expect(Kind::Less)?;
        let element = self.type_name()?;
        let found = match first {
            Kind::Map => {
                self.expect(Kind::Comma)?;
                TypeName::Map(Box::new(element), Box::new(self.type_name()?))
            }
            Kind::Vector => {
                self.expect(Kind::Comma)?;
                TypeName::Vector(Box::new(element), self.dimension()?)
            }
            Kind::Tuple => {
                let mut elements = vec![element];
                while self.accept(Kind::Comma)? {
                    elements.push(self.type_name()?);
                }
                TypeName::Tuple(elements)
            }
            Kind::Frozen => TypeName::Frozen(Box::new(element)),
            _ => TypeName::List(Box::new(element)),
        };
        self.expect(Kind::Greater)?;
        if let TypeName::Frozen(inner) = &found
            && matches!(**inner, TypeName::Native(_) | TypeName::Custom(_))
        {
            return self.refuse(format!(
                "frozen<> is only allowed on collections, tuples, and user-defined types (got {inner})"
            ));
        }
        Ok(found)
    }

    fn dimension(&mut self) -> Parse<i32> {
        let at = self.at;
        self.expect(Kind::Integer)?;
        let text = self.tokens.source(at);
        match text.parse() {
            Ok(dimension) => Ok(dimension),
            Err(_) => self.refuse(format!("Invalid vector dimension {text}")),
        }
    }

    /// A native type, where nothing else can stand.
    pub(super) fn native_type(&mut self) -> Parse<NativeType> {
        match self.kind().class() {
            Class::Native(native) => {
                self.advance()?;
                Ok(native)
            }
            _ => self.no_viable(1),
        }
    }

    /// `(a, b)`, maybe empty
    pub(super) fn type_list(&mut self) -> Parse<Vec<TypeName>> {
        self.expect(Kind::Open)?;
        if self.accept(Kind::Close)? {
            return Ok(Vec::new());
        }
        if !(self.kind().is_name() || matches!(self.kind(), Kind::Set | Kind::String)) {
            self.expect(Kind::Close)?;
        }
        let types = self.comma_separated(Parser::type_name)?;
        self.expect(Kind::Close)?;
        Ok(types)
    }
}
