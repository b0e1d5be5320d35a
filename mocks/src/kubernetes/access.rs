//! Who may do what.

use super::Request;
use super::route::Asked;
use super::status::Refusal;
use serde_json::{Map, Value};

/// Somebody with a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What follows `Bearer` in the header `Authorization`.
    pub token: String,
    /// Such as `system:serviceaccount:shop:rollback-engine`.
    pub user: String,
    /// What it may do; each rule allows, none forbids.
    pub rules: Vec<Rule>,
}

/// What is allowed. `*` stands for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Such as `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verbs: Vec<String>,
    /// API groups; empty text for the core.
    pub groups: Vec<String>,
    /// Plurals, with a subresource as in `deployments/scale`.
    pub resources: Vec<String>,
    /// Namespaces; with `*` also what is in none, and lists of all.
    pub namespaces: Vec<String>,
}

impl Rule {
    /// Everything.
    pub fn all() -> Self {
        let all = || vec!["*".to_owned()];
        Self { verbs: all(), groups: all(), resources: all(), namespaces: all() }
    }

    fn allows(&self, wish: &Wish<'_>) -> bool {
        let has = |list: &[String], wanted: &str| list.iter().any(|known| known == "*" || known == wanted);
        has(&self.verbs, wish.verb)
            && has(&self.groups, wish.group)
            && has(&self.resources, &wish.resource)
            && match wish.namespace {
                Some(namespace) => has(&self.namespaces, namespace),
                None => self.namespaces.iter().any(|known| known == "*"),
            }
    }
}

/// What somebody wants to do.
#[derive(Clone, Debug)]
pub(super) struct Wish<'a> {
    pub(super) verb: &'a str,
    pub(super) group: &'a str,
    /// With the subresource.
    pub(super) resource: String,
    /// None at the scope of the cluster.
    pub(super) namespace: Option<&'a str>,
}

impl<'a> Wish<'a> {
    pub(super) fn of(verb: &'a str, asked: &'a Asked) -> Self {
        let resource = match &asked.subresource {
            Some(sub) => format!("{}/{sub}", asked.plural),
            None => asked.plural.clone(),
        };
        Self { verb, group: &asked.group, resource, namespace: asked.namespace.as_deref() }
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// May do everything.
    Admin,
    /// By its place in the settings.
    Account(usize),
    Anonymous,
}

impl Caller {
    /// Who sent a request. Without any account in the settings everybody may do everything.
    ///
    /// # Errors
    /// 401 for a token that nobody has.
    pub(super) fn of(accounts: &[Account], request: &Request) -> Result<Self, Refusal> {
        if accounts.is_empty() {
            return Ok(Self::Admin);
        }
        let header = request.header("authorization");
        if header.is_empty() {
            return Ok(Self::Anonymous);
        }
        let token = header.strip_prefix("Bearer ").unwrap_or("").trim();
        let known = accounts.iter().position(|account| account.token == token);
        known.map(Self::Account).ok_or_else(|| Refusal::new(401, "Unauthorized", "Unauthorized"))
    }

    pub(super) fn user<'a>(&self, accounts: &'a [Account]) -> &'a str {
        match self {
            Self::Admin => "kubernetes-admin",
            Self::Account(index) => &accounts[*index].user,
            Self::Anonymous => "system:anonymous",
        }
    }

    pub(super) fn may(&self, accounts: &[Account], wish: &Wish<'_>) -> bool {
        match self {
            Self::Admin => true,
            Self::Account(index) => accounts[*index].rules.iter().any(|rule| rule.allows(wish)),
            Self::Anonymous => false,
        }
    }

    /// Whether paths without objects are open to it.
    pub(super) fn may_discover(&self) -> bool {
        *self != Self::Anonymous
    }

    pub(super) fn is_admin(&self, accounts: &[Account]) -> bool {
        self.may(accounts, &Wish { verb: "*", group: "*", resource: "*".to_owned(), namespace: None })
    }

    /// 403 with the words of RBAC.
    pub(super) fn forbidden(&self, accounts: &[Account], wish: &Wish<'_>, asked: &Asked) -> Refusal {
        let plural = &asked.plural;
        let resource =
            if asked.group.is_empty() { plural.clone() } else { format!("{plural}.{}", asked.group) };
        let named = asked.name.as_ref().map_or_else(String::new, |name| format!(" \"{name}\""));
        let scope = match wish.namespace {
            Some(namespace) => format!("in the namespace \"{namespace}\""),
            None => "at the cluster scope".to_owned(),
        };
        let message = format!(
            "{resource}{named} is forbidden: User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {scope}",
            self.user(accounts),
            wish.verb,
            wish.resource,
            wish.group,
        );
        let mut details = Map::new();
        if let Some(name) = &asked.name {
            details.insert("name".to_owned(), Value::from(name.as_str()));
        }
        if !asked.group.is_empty() {
            details.insert("group".to_owned(), Value::from(asked.group.as_str()));
        }
        details.insert("kind".to_owned(), Value::from(plural.as_str()));
        Refusal::new(403, "Forbidden", message).with_details(Value::Object(details))
    }

    pub(super) fn forbidden_path(&self, accounts: &[Account], path: &str) -> Refusal {
        let message = format!("forbidden: User \"{}\" cannot get path \"{path}\"", self.user(accounts));
        Refusal::new(403, "Forbidden", message).with_details(Value::Object(Map::new()))
    }
}
