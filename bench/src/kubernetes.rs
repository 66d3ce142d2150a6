//! A Kubernetes object, and the schema that Kubernetes itself publishes for it.

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::schemars::SchemaGenerator;
use serde_json::{Value, json};

/// The schema of a Deployment, with its 120 definitions and all their descriptions: about 200 KB.
///
/// It is what `k8s-openapi` makes of the OpenAPI description, in 2020-12 and with local references, so
/// nothing has to be changed for Tidegate. What is added is where a resource's id is.
///
/// # Errors
///
/// It is no object.
pub fn deployment_schema() -> Result<String> {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<Deployment>();
    schema.as_object_mut().context("the schema is no object")?.insert(
        "resmo".to_owned(),
        json!({
            "id": "metadata.name",
            "name": "metadata.name",
            "importantFields": ["metadata.labels", "spec.replicas", "$.spec.template.spec.containers[*].image"]
        }),
    );
    Ok(serde_json::to_string(&schema)?)
}

/// A Deployment as clusters give it: defaults filled in, injected sidecars, a status.
pub fn deployment() -> Value {
    let labels = json!({
        "app.kubernetes.io/name": "checkout",
        "app.kubernetes.io/instance": "checkout-production",
        "app.kubernetes.io/component": "backend",
        "app.kubernetes.io/part-of": "shop",
        "app.kubernetes.io/managed-by": "Helm",
        "topology.example.com/tier": "critical"
    });
    let selector = json!({ "matchLabels": { "app.kubernetes.io/name": "checkout" } });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "checkout",
            "namespace": "shop",
            "uid": "4a3f9c1e-6f0b-4a53-9d0e-3c1f8f0b7a11",
            "resourceVersion": "88231947",
            "generation": 42,
            "creationTimestamp": "2025-11-03T08:14:07Z",
            "labels": labels,
            "annotations": {
                "deployment.kubernetes.io/revision": "42",
                "meta.helm.sh/release-name": "checkout",
                "meta.helm.sh/release-namespace": "shop",
                "example.com/runbook": "https://runbooks.example.com/checkout#deployments",
                "example.com/owner": "{\"team\": \"payments\", \"channel\": \"#payments-oncall\"}"
            }
        },
        "spec": {
            "replicas": 6,
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            "minReadySeconds": 10,
            "selector": selector,
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": 0 } },
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": { "prometheus.io/scrape": "true", "prometheus.io/port": "9090" }
                },
                "spec": pod(&selector)
            }
        },
        "status": {
            "observedGeneration": 42,
            "replicas": 6,
            "updatedReplicas": 6,
            "readyReplicas": 6,
            "availableReplicas": 6,
            "conditions": [
                condition("Available", "MinimumReplicasAvailable", "Deployment has minimum availability."),
                condition("Progressing", "NewReplicaSetAvailable", "ReplicaSet \"checkout-7d9f8c6b5\" has successfully progressed.")
            ]
        }
    })
}

fn pod(selector: &Value) -> Value {
    json!({
        "serviceAccountName": "checkout",
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "priorityClassName": "critical",
        "terminationGracePeriodSeconds": 45,
        "imagePullSecrets": [{ "name": "registry" }],
        "securityContext": { "runAsNonRoot": true, "runAsUser": 10001, "fsGroup": 10001, "seccompProfile": { "type": "RuntimeDefault" } },
        "initContainers": [container("migrate", 0, 4), container("fetch-certificates", 1, 2)],
        "containers": [
            container("checkout", 2, 18),
            container("proxy", 3, 10),
            container("log-shipper", 4, 6),
            container("metrics", 5, 4)
        ],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{
                        "matchExpressions": [
                            { "key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"] },
                            { "key": "node.example.com/pool", "operator": "NotIn", "values": ["batch", "spot"] }
                        ]
                    }]
                }
            },
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{
                    "weight": 100,
                    "podAffinityTerm": { "topologyKey": "kubernetes.io/hostname", "labelSelector": selector }
                }]
            }
        },
        "topologySpreadConstraints": [{
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": selector
        }],
        "tolerations": [
            { "key": "dedicated", "operator": "Equal", "value": "payments", "effect": "NoSchedule" },
            { "key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 },
            { "key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 }
        ],
        "volumes": [
            { "name": "configuration", "configMap": { "name": "checkout", "defaultMode": 420, "items": [{ "key": "application.yaml", "path": "application.yaml" }] } },
            { "name": "certificates", "secret": { "secretName": "checkout-tls", "defaultMode": 288 } },
            { "name": "scratch", "emptyDir": { "sizeLimit": "512Mi" } },
            { "name": "token", "projected": { "defaultMode": 420, "sources": [
                { "serviceAccountToken": { "audience": "vault", "expirationSeconds": 3600, "path": "token" } },
                { "downwardAPI": { "items": [{ "path": "labels", "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.labels" } }] } }
            ] } }
        ]
    })
}

fn container(name: &str, number: usize, variables: usize) -> Value {
    let port = 8080 + number;
    let probe = |path: &str, period: usize| {
        json!({
            "httpGet": { "path": path, "port": "http", "scheme": "HTTP" },
            "initialDelaySeconds": 5,
            "periodSeconds": period,
            "timeoutSeconds": 2,
            "successThreshold": 1,
            "failureThreshold": 3
        })
    };
    let variable = |at: usize| {
        let key = format!("{}_SETTING_{at}", name.to_uppercase().replace('-', "_"));
        match at % 3 {
            0 => json!({ "name": key, "value": format!("value-{at}.example.com:{port}") }),
            1 => {
                json!({ "name": key, "valueFrom": { "secretKeyRef": { "name": name, "key": format!("secret-{at}") } } })
            }
            _ => {
                json!({ "name": key, "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.namespace" } } })
            }
        }
    };
    let mut container = json!({
        "name": name,
        "image": format!("registry.example.com/shop/{name}:1.{number}.7"),
        "imagePullPolicy": "IfNotPresent",
        "args": ["--config=/etc/shop/application.yaml", format!("--listen=0.0.0.0:{port}")],
        "env": (0..variables).map(variable).collect::<Vec<_>>(),
        "resources": {
            "requests": { "cpu": "250m", "memory": "256Mi" },
            "limits": { "cpu": 2, "memory": "1Gi" }
        },
        "securityContext": { "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] } },
        "volumeMounts": [
            { "name": "configuration", "mountPath": "/etc/shop", "readOnly": true },
            { "name": "scratch", "mountPath": "/tmp" }
        ],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File"
    });
    // Those that run to their end are asked for nothing.
    if let (Some(members), true) = (container.as_object_mut(), number > 1) {
        let ports = json!([{ "name": "http", "containerPort": port, "protocol": "TCP" }]);
        members.insert("ports".to_owned(), ports);
        members.insert("livenessProbe".to_owned(), probe("/healthz", 10));
        members.insert("readinessProbe".to_owned(), probe("/readyz", 5));
        members
            .insert("lifecycle".to_owned(), json!({ "preStop": { "exec": { "command": ["sleep", "10"] } } }));
    }
    container
}

fn condition(kind: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-02-11T17:40:02Z",
        "lastUpdateTime": "2026-02-11T17:40:02Z"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_of_the_usual_size() {
        let (schema, object) = (deployment_schema().unwrap(), deployment().to_string());
        assert!((100_000..262_144).contains(&schema.len()), "{}", schema.len());
        assert!((5_000..20_000).contains(&object.len()), "{}", object.len());
    }
}
