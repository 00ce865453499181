//! Values by name in one sorted piece of memory: for the hundreds of coins of an account smaller than a tree, in code and in memory.

/// Values by name, in the order of the names; each name once.
#[derive(Clone, PartialEq, Eq)]
pub struct Named<V>(Vec<(String, V)>);

impl<V> Named<V> {
    /// Nothing.
    pub fn new() -> Named<V> {
        Named(Vec::new())
    }

    /// Where a name is, or where it belongs.
    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.as_str().cmp(name))
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.find(name).ok().and_then(|at| self.0.get(at)).map(|(_, value)| value)
    }

    /// The value of a name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        let at = self.find(name).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    /// Whether it has the name.
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    /// Sets the value of a name; returns the one it had.
    pub fn insert(&mut self, name: &str, value: V) -> Option<V> {
        match self.find(name) {
            Ok(at) => self.0.get_mut(at).map(|(_, old)| core::mem::replace(old, value)),
            Err(at) => {
                self.0.insert(at, (name.to_string(), value));
                None
            }
        }
    }

    /// Names and values in order.
    pub fn iter(&self) -> core::slice::Iter<'_, (String, V)> {
        self.0.iter()
    }

    /// How many names it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<V> Default for Named<V> {
    fn default() -> Self {
        Named::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Named;

    #[test]
    fn names_are_found_replaced_and_kept_in_order() {
        let mut named = Named::new();
        for (at, name) in ["SOL", "BTC", "ETH", "ADA"].into_iter().enumerate() {
            assert_eq!(named.insert(name, at), None);
        }
        assert_eq!(named.insert("BTC", 7), Some(1));
        assert_eq!((named.get("BTC"), named.get("BT"), named.contains("SOL")), (Some(&7), None, true));
        if let Some(value) = named.get_mut("ETH") {
            *value = 9;
        }
        let all: Vec<(&str, usize)> = named.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(all, [("ADA", 3), ("BTC", 7), ("ETH", 9), ("SOL", 0)]);
        assert_eq!(named.len(), 4);
    }
}
