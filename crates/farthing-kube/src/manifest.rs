//! What has to be in a cluster so that we may work in it: an account, its roles, and a deployment
//! of the program. The roles are made from the list of kinds that are watched and from the table of
//! calls, so that no flavour has a right that the code does not use, and none has `delete`.

use crate::call::{Call, Flavour, calls};
use crate::kind::KINDS;
use crate::kueue::Fail;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
    if with_kinds {
        // What pods use, where a metrics server tells it.
        rights.entry(("metrics.k8s.io", "pods".to_owned())).or_default().insert("list");
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
pub fn deployment(flavour: Flavour, image: &str, webhook: bool) -> String {
    let lease = if flavour >= Flavour::Recommend { "--lease, " } else { "" };
    let [arguments, port, mount, volume] = if webhook {
        [
            "--kueue, --webhook, \"0.0.0.0:9443\", --webhook-cert, /tls/tls.crt, \
             --webhook-key, /tls/tls.key, ",
            ", {name: webhook, containerPort: 9443}",
            "\n            - {name: tls, mountPath: /tls, readOnly: true}",
            "\n        - {name: tls, secret: {secretName: farthing-webhook}}",
        ]
    } else {
        [""; 4]
    };
    DEPLOYMENT
        .replace("(image)", image)
        .replace("(lease)", lease)
        .replace("(webhook)", arguments)
        .replace("(webhook-port)", port)
        .replace("(webhook-mount)", mount)
        .replace("(webhook-volume)", volume)
}

/// How the API server reaches the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// By our service in the cluster.
    Service,
    /// By an address outside of it, `https://...`.
    Url(String),
}

/// Tells the API server to ask us about new jobs that say what they may cost, and what becomes of
/// them where we do not answer. `ca` is the PEM of the authority that our certificate is from.
pub fn mutating_webhook(fail: Fail, ca: &str, reach: &Reach) -> String {
    let client = match reach {
        Reach::Service => {
            format!("service: {{namespace: {OURS}, name: {WEBHOOK}, path: /admit, port: 443}}")
        }
        // As JSON, which YAML has in it: quoted whatever is in it.
        Reach::Url(url) => format!("url: {}", serde_json::Value::from(url.as_str())),
    };
    let policy = match fail {
        Fail::Open => "Ignore",
        Fail::Closed => "Fail",
    };
    let bundle = STANDARD.encode(ca);
    format!(
        "---\n\
         apiVersion: admissionregistration.k8s.io/v1\n\
         kind: MutatingWebhookConfiguration\n\
         metadata: {{name: {OURS}}}\n\
         webhooks:\n  \
           - name: jobs.farthing.dev\n    \
             admissionReviewVersions: [v1]\n    \
             sideEffects: None\n    \
             timeoutSeconds: 5\n    \
             failurePolicy: {policy}\n    \
             clientConfig:\n      {client}\n      caBundle: {bundle}\n    \
             rules:\n      \
               - {{apiGroups: [batch], apiVersions: [v1], resources: [jobs], \
                   operations: [CREATE], scope: Namespaced}}\n    \
             matchConditions:\n      \
               - name: says-what-it-may-cost\n        \
                 expression: >-\n          \
                   has(object.metadata.annotations) &&\n          \
                   '{}' in object.metadata.annotations\n",
        crate::webhook::MAX_COST,
    )
}

/// The webhook's service, and its certificate and key as a secret.
pub fn webhook_service(certificate: &str, key: &str) -> String {
    format!(
        "---\n\
         apiVersion: v1\n\
         kind: Service\n\
         metadata: {{name: {WEBHOOK}, namespace: {OURS}}}\n\
         spec:\n  \
           selector: {{app.kubernetes.io/name: {OURS}}}\n  \
           ports: [{{name: https, port: 443, targetPort: 9443}}]\n\
         ---\n\
         apiVersion: v1\n\
         kind: Secret\n\
         type: kubernetes.io/tls\n\
         metadata: {{name: {WEBHOOK}, namespace: {OURS}}}\n\
         data:\n  tls.crt: {}\n  tls.key: {}\n",
        STANDARD.encode(certificate),
        STANDARD.encode(key),
    )
}

/// The webhook's service and secret.
const WEBHOOK: &str = "farthing-webhook";

/// With `(image)` and `(lease)` to be filled in.
const DEPLOYMENT: &str = include_str!("deployment.yaml");
