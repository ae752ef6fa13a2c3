//! What has to be in a cluster so that we may look at it: an account and a role, made from the
//! list of kinds that are watched, so that neither has a right that the code does not use.

use crate::kind::KINDS;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The namespace of our own objects, and the name of the account in it.
const OURS: &str = "farthing";
/// The API group of roles.
const RBAC: &str = "rbac.authorization.k8s.io";

/// Manifests, as YAML documents.
pub fn manifests() -> String {
    let mut out = format!(
        "# What `farthing up --kube` needs in a cluster to look at it, and nothing more.\n\
         apiVersion: v1\n\
         kind: Namespace\n\
         metadata: {{name: {OURS}}}\n\
         ---\n\
         apiVersion: v1\n\
         kind: ServiceAccount\n\
         metadata: {{name: {OURS}, namespace: {OURS}}}\n\
         ---\n\
         apiVersion: {RBAC}/v1\n\
         kind: ClusterRole\n\
         metadata: {{name: {OURS}-observe}}\n\
         rules:\n"
    );
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for kind in &KINDS {
        groups.entry(kind.group).or_default().push(kind.plural);
    }
    for (group, mut kinds) in groups {
        kinds.sort_unstable();
        // A string is always written.
        let _ = writeln!(out, "  - apiGroups: [\"{group}\"]");
        let _ = writeln!(out, "    resources:");
        for kind in kinds {
            let _ = writeln!(out, "      - {kind}");
        }
        let _ = writeln!(out, "    verbs: [list, watch]");
    }
    let _ = write!(
        out,
        "---\n\
         apiVersion: {RBAC}/v1\n\
         kind: ClusterRoleBinding\n\
         metadata: {{name: {OURS}-observe}}\n\
         roleRef: {{apiGroup: {RBAC}, kind: ClusterRole, name: {OURS}-observe}}\n\
         subjects: [{{kind: ServiceAccount, name: {OURS}, namespace: {OURS}}}]\n"
    );
    out
}
