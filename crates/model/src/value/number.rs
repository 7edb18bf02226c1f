//! Varint and decimal: any size, Java's text and byte forms.
