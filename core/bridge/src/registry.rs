//! Which kinds of bridge there are: said out loud, by whoever builds the node.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Bridge, BridgeContext, BridgeError, ErrorKind, SharedBridge, SharedRoom};

/// A kind of bridge: how one is configured and opened.
#[async_trait]
pub trait BridgeKind: Send + Sync + fmt::Debug {
    /// The name that `bridge add` takes: 1–16 of `a-z 0-9 -`.
    fn kind(&self) -> &'static str;

    /// One line for a person.
    fn summary(&self) -> &'static str;

    /// The options that it takes, in the order to show them.
    fn options(&self) -> &'static [OptionSpec];

    /// The options that open for reading what this one line names (`git+https://host/path`, `github:owner/repo`): how a public name is given to
    /// somebody who has no bridge there. `None`: it is not of a form of this kind's. Touches and contacts nothing.
    ///
    /// Attack input: somebody sent it. *Errors*: [`Configuration`](ErrorKind::Configuration) where it is of such a form and is not to be followed, with
    /// the reason.
    fn source(&self, source: &str) -> Option<Result<BridgeOptions, BridgeError>>;

    /// The options that a person would give to add a bridge to the place with this locator's address (`--remote https://host/path`), with capitals
    /// for what the address does not tell. Attack input, to be shown and never run.
    fn usage(&self, address: &str) -> String;

    /// Whether people talk there: whether [`Opened`] may have a room.
    fn talks(&self) -> bool;

    /// Whether those who can read such a place are few and near, as with a folder: then a spoken code may be shorter.
    fn has_few_readers(&self) -> bool {
        false
    }

    /// Of these options those that somebody else gives for the same place: without accounts, keys, files and folders of whoever has them. Empty where
    /// there is nothing to hand on.
    fn shared(&self, options: &BridgeOptions) -> BridgeOptions;

    /// Opens a bridge with these options.
    ///
    /// Contacts nothing but what the options name. An error names the option that is wrong.
    async fn open(&self, options: &BridgeOptions, context: BridgeContext) -> Result<Opened, BridgeError>;
}

/// What a kind opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The place for records.
    pub bridge: SharedBridge,
    /// The same place where people talk, where they do.
    pub room: Option<SharedRoom>,
}

impl Opened {
    /// A place for records, where nobody talks.
    pub fn bridge(bridge: impl Bridge + 'static) -> Self {
        Self::new(Arc::new(bridge), None)
    }

    /// A place for records, and the same where people talk, where they do.
    pub fn new(bridge: SharedBridge, room: Option<SharedRoom>) -> Self {
        Self { bridge, room }
    }
}

/// One option of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OptionSpec {
    /// The long flag without dashes (`path`).
    pub name: &'static str,
    /// What the value is called in help (`DIR`).
    pub value: &'static str,
    /// One line for a person.
    pub help: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// Whether the value is a path that is made absolute before it is stored.
    pub path: bool,
}

impl OptionSpec {
    /// One that may be left out and is no path.
    pub const fn new(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self { name, value, help, required: false, path: false }
    }

    /// The same, which must be given.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// The same, whose value is a path.
    #[must_use]
    pub const fn path(self) -> Self {
        Self { path: true, ..self }
    }
}

/// Option values by name, as configured. Holds no secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BridgeOptions(BTreeMap<String, String>);

impl BridgeOptions {
    /// The value of an option, where it is set.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of an option that must be there.
    pub fn required(&self, name: &str) -> Result<&str, BridgeError> {
        self.value(name)
            .ok_or_else(|| BridgeError::new(ErrorKind::Configuration, format!("--{name} is missing")))
    }

    /// Only those of these names.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Self {
        self.iter().filter(|(name, _)| names.contains(name)).collect()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for BridgeOptions {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(options: T) -> Self {
        Self(options.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// The kinds that a node knows. Nothing registers itself.
#[derive(Clone, Debug, Default)]
pub struct Registry(BTreeMap<&'static str, Arc<dyn BridgeKind>>);

impl Registry {
    /// No kinds.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this kind too; a later one of the same name replaces an earlier.
    #[must_use]
    pub fn with(mut self, kind: impl BridgeKind + 'static) -> Self {
        self.0.insert(kind.kind(), Arc::new(kind));
        self
    }

    /// All kinds, by name.
    pub fn kinds(&self) -> impl Iterator<Item = &dyn BridgeKind> {
        self.0.values().map(Arc::as_ref)
    }

    /// The kind of this name.
    pub fn kind(&self, name: &str) -> Option<&dyn BridgeKind> {
        self.0.get(name).map(Arc::as_ref)
    }

    /// Opens a bridge of a kind. Options that the kind does not know, or lacks, are errors that name them.
    pub async fn open(
        &self,
        kind: &str,
        options: &BridgeOptions,
        context: BridgeContext,
    ) -> Result<Opened, BridgeError> {
        let wrong = |message: String| BridgeError::new(ErrorKind::Configuration, message);
        let kind = self.kind(kind).ok_or_else(|| {
            let known: Vec<_> = self.0.keys().copied().collect();
            wrong(format!("there is no bridge kind `{kind}`; known are {}", known.join(", ")))
        })?;
        let known = kind.options();
        if let Some((name, _)) = options.iter().find(|(name, _)| known.iter().all(|spec| spec.name != *name))
        {
            return Err(wrong(format!("a {} bridge has no option --{name}", kind.kind())));
        }
        if let Some(missing) = known.iter().find(|spec| spec.required && options.value(spec.name).is_none()) {
            return Err(wrong(format!(
                "a {} bridge needs --{} {}",
                kind.kind(),
                missing.name,
                missing.value
            )));
        }
        kind.open(options, context).await
    }
}
