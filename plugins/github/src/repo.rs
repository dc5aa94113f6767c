//! Which repository, and where in it.

use wayside_bridge::Locator;

use crate::api::ApiUrl;

/// The branch for records, where none is named.
pub(crate) const BRANCH: &str = "wayside";

/// A repository's owner and name, in lower case: GitHub does not tell them apart by case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repo {
    owner: String,
    name: String,
}

impl Repo {
    /// The repository of its `owner/name`; `None` where GitHub has none of such a name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (owner, name) = text.split_once('/')?;
        // An owner has at most 39 letters, digits and dashes; underscores are in those of managed users.
        let owner_ok = (1..=39).contains(&owner.len())
            && owner.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            && !owner.starts_with('-');
        let name_ok = (1..=100).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
            && !matches!(name, "." | "..")
            && !name.starts_with('-')
            && !name.to_ascii_lowercase().ends_with(".git");
        (owner_ok && name_ok)
            .then(|| Self { owner: owner.to_ascii_lowercase(), name: name.to_ascii_lowercase() })
    }
}

impl std::fmt::Display for Repo {
    /// `owner/name`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// Where in the repository records are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// Files in a branch.
    Branch(String),
    /// Comments of an issue.
    Issue(u64),
}

impl Spot {
    /// A branch of this name, or `None` where git or a locator would not have it so.
    pub(crate) fn branch(name: &str) -> Option<Self> {
        let part_ok =
            |part: &str| !part.is_empty() && !part.starts_with(['.', '-']) && !part.ends_with(['.', '\0']);
        let ok = name.len() <= 64
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'))
            && name.split('/').all(|part| part_ok(part) && !part.ends_with(".lock"))
            && !name.contains("..");
        ok.then(|| Self::Branch(name.to_owned()))
    }

    /// An issue of this number.
    pub(crate) fn issue(number: &str) -> Option<Self> {
        let parsed: u64 = number.parse().ok()?;
        (parsed != 0 && parsed.to_string() == number).then_some(Self::Issue(parsed))
    }
}

/// The locators of a place, the preferred first.
///
/// At github.com a branch has the name that a git bridge gives it too, since the two meet there.
pub(crate) fn locators(api: &ApiUrl, repo: &Repo, spot: &Spot) -> Vec<Locator> {
    let at = if api.is_github() { repo.to_string() } else { format!("{}/{repo}", api.host()) };
    let locator = |kind: &str, address: String| Locator::new(kind, &address);
    match spot {
        Spot::Issue(number) => locator(crate::KIND, format!("{at}/issues/{number}")).into_iter().collect(),
        Spot::Branch(branch) => {
            let suffix = if branch == BRANCH { String::new() } else { format!("#{branch}") };
            let own = locator(crate::KIND, format!("{at}{suffix}"));
            let git = api.is_github().then(|| locator("git", format!("github.com/{repo}{suffix}"))).flatten();
            own.into_iter().chain(git).collect()
        }
    }
}

/// The options of a place with this locator address, as far as it tells.
pub(crate) fn usage(address: &str) -> String {
    let known = Place::parse(address);
    let repo = known.as_ref().map_or_else(|| "OWNER/NAME".to_owned(), |place| place.repo.to_string());
    let mut usage = format!("--repo {repo} --token-file FILE");
    if let Some(place) = known {
        match place.spot {
            Spot::Branch(branch) if branch == BRANCH => {}
            Spot::Branch(branch) => usage.push_str(&format!(" --branch {branch}")),
            Spot::Issue(number) => usage.push_str(&format!(" --issue {number}")),
        }
        if let Some(host) = place.host {
            usage.push_str(&format!(" --api https://{host}/api/v3"));
        }
    }
    usage
}

/// A locator's address, taken apart.
struct Place {
    host: Option<String>,
    repo: Repo,
    spot: Spot,
}

impl Place {
    fn parse(address: &str) -> Option<Self> {
        let (path, branch) = match address.split_once('#') {
            Some((path, branch)) => (path, Some(branch)),
            None => (address, None),
        };
        let parts: Vec<&str> = path.split('/').collect();
        let (host, owner, name, issue) = match *parts.as_slice() {
            [owner, name] => (None, owner, name, None),
            [host, owner, name] => (Some(host), owner, name, None),
            [owner, name, "issues", number] => (None, owner, name, Some(number)),
            [host, owner, name, "issues", number] => (Some(host), owner, name, Some(number)),
            _ => return None,
        };
        let spot = match (issue, branch) {
            (Some(number), None) => Spot::issue(number)?,
            (None, branch) => Spot::branch(branch.unwrap_or(BRANCH))?,
            (Some(_), Some(_)) => return None,
        };
        let host_ok = |host: &str| {
            !host.is_empty()
                && !host.starts_with('-')
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':'))
        };
        if host.is_some_and(|host| !host_ok(host)) {
            return None;
        }
        let repo = Repo::parse(&format!("{owner}/{name}"))?;
        Some(Self { host: host.map(str::to_owned), repo, spot })
    }
}

#[cfg(test)]
#[path = "repo_tests.rs"]
mod tests;
