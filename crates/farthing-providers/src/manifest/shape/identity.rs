//! Fields of a provider of identities.

use super::{Any, List, Map, OneOf, SECRET, Shape, Text, may, must};

pub(crate) const ROLES: &[&str] = &["viewer", "team", "operator", "admin"];

pub(crate) static IDENTITY: Shape = Shape {
    name: "IdentitySpec",
    doc: "A provider of identities (OpenID Connect), and what its groups may do.",
    fields: &[
        must("issuer", Text, "Its issuer, letter for letter, such as https://id.example.org/ai."),
        must("client", Text, "Our client id there."),
        may("secret", Map(&SECRET), "Our client secret. Default: a public client, with PKCE."),
        may(
            "url",
            Text,
            "Where browsers reach this loop, such as https://farthing.example.org. Default: the \
             address that it listens on, where that is of this machine.",
        ),
        may("audience", Any(&[Text, List(&Text)]), "Of access tokens, beside the client id."),
        may("scopes", List(&Text), "Asked for beside openid. Default: profile, email, groups."),
        may("groups", Text, "The claim with the groups; a.b is b in a. Default: groups."),
        may("name", Text, "The claim that is shown as name. Default: preferred_username."),
        must("grants", List(&Map(&GRANT)), "What members of groups may do."),
    ],
};

pub(crate) static GRANT: Shape = Shape {
    name: "Grant",
    doc: "What members of a group may do. Of several, the highest role counts, with its own teams.",
    fields: &[
        must("group", Text, "The group, as the provider names it."),
        must("role", OneOf(ROLES), "What they may do."),
        may("teams", List(&Text), "Whose things they see. Default: everybody's."),
    ],
};
