//! What has to be in a cluster so that we may work in it: an account, its roles, and a deployment
//! of the program. The roles are made from the list of kinds that are watched and from the table of
//! calls, so that no flavour has a right that the code does not use, and none has `delete`.

use crate::call::{Call, Flavour, calls};
use crate::kind::KINDS;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The namespace of our own objects, and the name of the account in it.
pub(crate) const OURS: &str = "farthing";
/// The API group of roles.
const RBAC: &str = "rbac.authorization.k8s.io";
/// What only ever is in our own namespace.
const LEASES: &str = "leases";

/// An account with the roles of a flavour, as YAML documents.
pub fn roles(flavour: Flavour) -> String {
    let name = format!("{OURS}-{}", flavour.name());
    let subject = format!("subjects: [{{kind: ServiceAccount, name: {OURS}, namespace: {OURS}}}]");
    let mut out = format!(
        "---\n\
         apiVersion: v1\n\
         kind: Namespace\n\
         metadata:\n  name: {OURS}\n  labels: {{pod-security.kubernetes.io/enforce: restricted}}\n\
         ---\n\
         apiVersion: v1\n\
         kind: ServiceAccount\n\
         metadata: {{name: {OURS}, namespace: {OURS}}}\n\
         ---\n\
         apiVersion: {RBAC}/v1\n\
         kind: ClusterRole\n\
         metadata: {{name: {name}}}\n\
         rules:\n{}\
         ---\n\
         apiVersion: {RBAC}/v1\n\
         kind: ClusterRoleBinding\n\
         metadata: {{name: {name}}}\n\
         roleRef: {{apiGroup: {RBAC}, kind: ClusterRole, name: {name}}}\n\
         {subject}\n",
        rules(rights(flavour, |call| call.plural != LEASES, true)),
    );
    let own = rights(flavour, |call| call.plural == LEASES, false);
    if !own.is_empty() {
        // A string is always written.
        let _ = write!(
            out,
            "---\n\
             apiVersion: {RBAC}/v1\n\
             kind: Role\n\
             metadata: {{name: {name}, namespace: {OURS}}}\n\
             rules:\n{}\
             ---\n\
             apiVersion: {RBAC}/v1\n\
             kind: RoleBinding\n\
             metadata: {{name: {name}, namespace: {OURS}}}\n\
             roleRef: {{apiGroup: {RBAC}, kind: Role, name: {name}}}\n\
             {subject}\n",
            rules(own),
        );
    }
    out
}

/// The verbs of each resource, by API group and name.
type Rights = BTreeMap<(&'static str, String), BTreeSet<&'static str>>;

fn rights(flavour: Flavour, belongs: impl Fn(&Call) -> bool, with_kinds: bool) -> Rights {
    let mut rights = Rights::new();
    for kind in KINDS.iter().filter(|_| with_kinds) {
        let verbs = rights.entry((kind.group, kind.plural.to_owned())).or_default();
        verbs.extend(["list", "watch"]);
    }
    for call in calls().filter(|call| call.flavour <= flavour && belongs(call)) {
        let verbs = rights.entry((call.group, call.resource())).or_default();
        verbs.insert(call.verb.name());
    }
    rights
}

/// Rules of a role: resources of a group that have the same verbs stand together.
fn rules(rights: Rights) -> String {
    let mut alike: BTreeMap<(&str, BTreeSet<&str>), Vec<String>> = BTreeMap::new();
    for ((group, resource), verbs) in rights {
        alike.entry((group, verbs)).or_default().push(resource);
    }
    let mut out = String::new();
    for ((group, verbs), resources) in alike {
        // A string is always written.
        let _ = writeln!(out, "  - apiGroups: [\"{group}\"]");
        let _ = writeln!(out, "    resources:");
        for resource in resources {
            let _ = writeln!(out, "      - {resource}");
        }
        let verbs: Vec<&str> = verbs.into_iter().collect();
        let _ = writeln!(out, "    verbs: [{}]", verbs.join(", "));
    }
    out
}

/// The program in the cluster, as YAML documents: one replica, not as root, with a read-only root
/// file system, its state on a volume.
pub fn deployment(flavour: Flavour, image: &str) -> String {
    let lease = if flavour >= Flavour::Recommend { ", --lease" } else { "" };
    format!(
        "---\n\
         apiVersion: v1\n\
         kind: PersistentVolumeClaim\n\
         metadata: {{name: {OURS}, namespace: {OURS}}}\n\
         spec:\n\
         \x20 accessModes: [ReadWriteOnce]\n\
         \x20 resources: {{requests: {{storage: 10Gi}}}}\n\
         ---\n\
         apiVersion: v1\n\
         kind: Service\n\
         metadata: {{name: {OURS}, namespace: {OURS}}}\n\
         spec:\n\
         \x20 selector: {{app.kubernetes.io/name: {OURS}}}\n\
         \x20 ports: [{{name: http, port: 4040, targetPort: http}}]\n\
         ---\n\
         apiVersion: apps/v1\n\
         kind: Deployment\n\
         metadata:\n\
         \x20 name: {OURS}\n\
         \x20 namespace: {OURS}\n\
         \x20 labels: {{app.kubernetes.io/name: {OURS}}}\n\
         spec:\n\
         \x20 replicas: 1\n\
         \x20 # The volume holds the journal: the one before ends before the next begins.\n\
         \x20 strategy: {{type: Recreate}}\n\
         \x20 selector: {{matchLabels: {{app.kubernetes.io/name: {OURS}}}}}\n\
         \x20 template:\n\
         \x20   metadata:\n\
         \x20     labels: {{app.kubernetes.io/name: {OURS}}}\n\
         \x20   spec:\n\
         \x20     serviceAccountName: {OURS}\n\
         \x20     securityContext:\n\
         \x20       runAsNonRoot: true\n\
         \x20       runAsUser: 65532\n\
         \x20       runAsGroup: 65532\n\
         \x20       fsGroup: 65532\n\
         \x20       seccompProfile: {{type: RuntimeDefault}}\n\
         \x20     containers:\n\
         \x20       - name: {OURS}\n\
         \x20         image: {image}\n\
         \x20         args: [up, --kube{lease}, --listen, \"0.0.0.0:4040\", --auth, --insecure-http]\n\
         \x20         env:\n\
         \x20           - {{name: FARTHING_DATA, value: /data}}\n\
         \x20           - {{name: XDG_CACHE_HOME, value: /tmp}}\n\
         \x20         ports: [{{name: http, containerPort: 4040}}]\n\
         \x20         # A replica that waits for the lease answers nothing yet.\n\
         \x20         startupProbe:\n\
         \x20           httpGet: {{path: /healthz, port: http}}\n\
         \x20           periodSeconds: 5\n\
         \x20           failureThreshold: 60\n\
         \x20         livenessProbe:\n\
         \x20           httpGet: {{path: /healthz, port: http}}\n\
         \x20           periodSeconds: 20\n\
         \x20           timeoutSeconds: 5\n\
         \x20         readinessProbe:\n\
         \x20           httpGet: {{path: /readyz, port: http}}\n\
         \x20           periodSeconds: 10\n\
         \x20           timeoutSeconds: 5\n\
         \x20         securityContext:\n\
         \x20           allowPrivilegeEscalation: false\n\
         \x20           readOnlyRootFilesystem: true\n\
         \x20           capabilities: {{drop: [ALL]}}\n\
         \x20         resources:\n\
         \x20           requests: {{cpu: 100m, memory: 256Mi}}\n\
         \x20           limits: {{memory: 1Gi}}\n\
         \x20         volumeMounts:\n\
         \x20           - {{name: data, mountPath: /data}}\n\
         \x20           - {{name: tmp, mountPath: /tmp}}\n\
         \x20     volumes:\n\
         \x20       - {{name: data, persistentVolumeClaim: {{claimName: {OURS}}}}}\n\
         \x20       - {{name: tmp, emptyDir: {{}}}}\n"
    )
}
