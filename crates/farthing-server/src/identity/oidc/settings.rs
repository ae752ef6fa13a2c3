//! What is said of a provider of identities, and who gets in by it.

use crate::identity::Role;
use farthing_model::TeamId;
use std::collections::BTreeSet;
use std::fmt;

/// What members of a group may do, and whose things they see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The group, as the provider names it.
    pub group: String,
    /// What they may do.
    pub role: Role,
    /// Whose things they see; `None` = everybody's.
    pub teams: Option<BTreeSet<TeamId>>,
}

/// A provider of identities, and the client that we are of it.
#[derive(Clone, PartialEq, Eq)]
pub struct OidcSettings {
    /// The issuer, letter for letter.
    pub issuer: String,
    /// Our name there.
    pub client: String,
    /// Our secret there; without one we are a public client, for which PKCE stands.
    pub secret: Option<String>,
    /// Where browsers reach us, without a slash at its end.
    pub url: String,
    /// Whom access tokens are for, beside `client`.
    pub audiences: Vec<String>,
    /// What is asked for, beside `openid`.
    pub scopes: Vec<String>,
    /// The claim with the groups; `a.b` is also `b` in `a`.
    pub groups: String,
    /// The claim with the name that records and pages show.
    pub name: String,
    /// Who may do what.
    pub grants: Vec<Grant>,
}

impl fmt::Debug for OidcSettings {
    /// Says whose client and nothing of its secret.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "OidcSettings({} at {})", self.client, self.issuer)
    }
}

impl OidcSettings {
    /// What someone with these groups may do: the highest role that one of them has, and the teams
    /// of those groups that have it. Two groups never add up to what neither of them has, such as
    /// the role of the one for the teams of the other.
    pub(super) fn granted(&self, groups: &BTreeSet<String>) -> Option<(Role, Option<Teams>)> {
        let his = || self.grants.iter().filter(|grant| groups.contains(&grant.group));
        let role = his().map(|grant| grant.role).max()?;
        let mut teams = Some(BTreeSet::new());
        for grant in his().filter(|grant| grant.role == role) {
            teams = match (teams, &grant.teams) {
                (Some(teams), Some(more)) => Some(&teams | more),
                _ => None,
            };
        }
        Some((role, teams))
    }
}

type Teams = BTreeSet<TeamId>;

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;

    fn granted(groups: &[&str]) -> Option<(Role, Option<Vec<String>>)> {
        let groups = groups.iter().map(ToString::to_string).collect();
        let (role, teams) = settings().granted(&groups)?;
        Some((role, teams.map(|teams| teams.iter().map(ToString::to_string).collect())))
    }

    #[test]
    fn groups_never_add_up_to_what_none_of_them_has() {
        let teams = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect());
        assert_eq!(granted(&["strangers"]), None);
        assert_eq!(granted(&["everybody"]), Some((Role::Viewer, None)));
        assert_eq!(granted(&["ml"]), Some((Role::Team, teams(&["research"]))));
        assert_eq!(granted(&["ml", "cv"]), Some((Role::Team, teams(&["research", "vision"]))));
        // Who sees all, and leads research, leads research only.
        let lead = Some((Role::Operator, teams(&["research"])));
        assert_eq!(granted(&["everybody", "ml", "cv", "ml-leads"]), lead);
        assert_eq!(granted(&["platform", "ml"]), Some((Role::Admin, None)));
    }
}
