//! Names, many of them.

/// Names, each with a value. However many there are, they are two pieces of memory, which are given back at once: where
/// many names are an allocation each, whoever drops them is at it for milliseconds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NameList<T> {
    /// All names, one behind the other.
    names: String,
    /// Where each ends there, and its value.
    entries: Vec<(usize, T)>,
}

impl<T> Default for NameList<T> {
    fn default() -> Self {
        Self { names: String::new(), entries: Vec::new() }
    }
}

impl<T> NameList<T> {
    /// Bytes of an entry beside its name.
    pub const ENTRY_LEN: usize = size_of::<(usize, T)>();

    /// One more.
    pub fn push(&mut self, name: &str, value: T) {
        self.names.push_str(name);
        self.entries.push((self.names.len(), value));
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all names together.
    #[must_use]
    pub fn names_len(&self) -> usize {
        self.names.len()
    }

    /// All of them, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        let mut begin = 0;
        self.entries.iter().map(move |(end, value)| {
            let name = self.names.get(begin..*end).unwrap_or_default();
            begin = *end;
            (name, value)
        })
    }
}

impl<'a, T> FromIterator<(&'a str, T)> for NameList<T> {
    fn from_iter<I: IntoIterator<Item = (&'a str, T)>>(entries: I) -> Self {
        let mut list = Self::default();
        entries.into_iter().for_each(|(name, value)| list.push(name, value));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_were_put_in() {
        let names = [("a:b", 1), ("", 2), ("é", 3), ("", 4)];
        let list: NameList<i32> = names.into_iter().collect();
        assert_eq!((list.len(), list.names_len(), list.is_empty()), (4, 5, false));
        assert!(list.iter().map(|(name, value)| (name, *value)).eq(names));
        assert!(NameList::<i32>::default().is_empty());
        assert_eq!(NameList::<i32>::default().iter().next(), None);
    }
}
