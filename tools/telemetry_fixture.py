#!/usr/bin/env python3
"""Makes tests/fixtures/*.om: one hour of a made-up cluster, as three exporters tell of it.

Two nodes: one of processors, one with four devices. A deployment of two pods, of which one is
resized in place and one restarts; a job that ends; a training that keeps two devices busy; a
notebook that holds one and hardly uses it; one device that nobody holds. Everything is made up;
names of metrics and labels are those of the exporters.
"""

import sys
from pathlib import Path

START = 1793613600  # 2026-11-02T10:00:00Z
STEP, POINTS = 120, 31


def times():
    return [START + STEP * at for at in range(POINTS)]


class Text:
    def __init__(self):
        self.lines = []

    def series(self, name, labels, value):
        """Adds a line for every scrape at which `value` says something."""
        inside = ",".join(f'{key}="{text}"' for key, text in labels.items())
        for at, now in enumerate(times()):
            found = value(at) if callable(value) else value
            if found is not None:
                self.lines.append(f"{name}{{{inside}}} {found} {now}")

    def kind(self, name, kind):
        self.lines.append(f"# TYPE {name} {kind}")

    def write(self, path):
        path.write_text("\n".join([*self.lines, "# EOF", ""]))


NODES = {
    "cpu-1": {"type": "m5.2xlarge", "cpu": 8, "memory": 32 << 30, "gpu": 0},
    "gpu-1": {"type": "g5.12xlarge", "cpu": 48, "memory": 192 << 30, "gpu": 4},
}


def until(end, value):
    return lambda at: value if at <= end else None


# namespace, pod, uid, node, owner, labels, container, requests, last scrape
PODS = [
    ("web", "front-7d9f-a", "u1", "cpu-1", ("ReplicaSet", "front-7d9f"), {"team": "shop"}, "app",
     {"cpu": lambda at: 1 if at < 15 else 2, "memory": 2 << 30}, 30),
    ("web", "front-7d9f-b", "u2", "cpu-1", ("ReplicaSet", "front-7d9f"), {"team": "shop"}, "app",
     {"cpu": 1, "memory": 2 << 30}, 30),
    ("batch", "report-x1", "u3", "cpu-1", ("Job", "report"), {"team": "data"}, "main",
     {"cpu": 2, "memory": 4 << 30}, 20),
    ("ml", "train-0", "u4", "gpu-1", ("PyTorchJob", "train"), {"team": "research"}, "pytorch",
     {"cpu": 16, "memory": 64 << 30, "nvidia_com_gpu": 2}, 30),
    ("ml", "notebook-0", "u5", "gpu-1", ("StatefulSet", "notebook"), {}, "jupyter",
     {"cpu": 4, "memory": 16 << 30, "nvidia_com_gpu": 1}, 30),
]


def kube():
    text = Text()
    for node, it in NODES.items():
        text.series("kube_node_info", {"node": node, "provider_id": f"aws:///us-east-1a/{node}"}, 1)
        text.series("kube_node_labels", {
            "node": node,
            "label_node_kubernetes_io_instance_type": it["type"],
            "label_topology_kubernetes_io_region": "us-east-1",
            "label_topology_kubernetes_io_zone": "us-east-1a",
            "label_karpenter_sh_capacity_type": "on-demand",
        }, 1)
        for resource, unit, amount, kept in [
            ("cpu", "core", it["cpu"], 0.2), ("memory", "byte", it["memory"], 1 << 30),
            ("nvidia_com_gpu", "integer", it["gpu"], 0),
        ]:
            if amount:
                labels = {"node": node, "resource": resource, "unit": unit}
                text.series("kube_node_status_capacity", labels, amount)
                text.series("kube_node_status_allocatable", labels, amount - kept)
    text.series("kube_namespace_labels", {"namespace": "ml", "label_team": "ml-platform"}, 1)
    text.series("kube_replicaset_owner", {
        "namespace": "web", "replicaset": "front-7d9f", "owner_kind": "Deployment",
        "owner_name": "front", "owner_is_controller": "true"}, 1)
    text.series("kube_job_owner", {
        "namespace": "batch", "job_name": "report", "owner_kind": "CronJob",
        "owner_name": "nightly", "owner_is_controller": "true"}, 1)
    for namespace, pod, uid, node, (kind, owner), labels, container, requests, last in PODS:
        own = {"namespace": namespace, "pod": pod, "uid": uid}
        text.series("kube_pod_info", {**own, "node": node}, 1)
        text.series("kube_pod_owner", {
            **own, "owner_kind": kind, "owner_name": owner, "owner_is_controller": "true"}, 1)
        names = {f"label_{key}": value for key, value in labels.items()}
        text.series("kube_pod_labels", {**own, **names}, 1)
        for phase, on in [("Running", lambda at: int(at <= last)), ("Succeeded", lambda at: int(at > last))]:
            text.series("kube_pod_status_phase", {**own, "phase": phase}, on)
        for resource, amount in requests.items():
            text.series("kube_pod_container_resource_requests", {
                **own, "container": container, "node": node, "resource": resource}, amount)
    return text


def cadvisor():
    text = Text()
    # cores used, memory, restart at
    use = {"front-7d9f-a": (0.5, 1 << 30, None), "front-7d9f-b": (1.5, 3 << 30, 10),
           "report-x1": (1.9, 2 << 30, None), "train-0": (12.25, 48 << 30, None),
           "notebook-0": (0.01, 1 << 30, None)}
    text.kind("container_cpu_usage_seconds", "counter")
    for namespace, pod, _, _, _, _, container, _, last in PODS:
        cores, _, restart = use[pod]
        runs = [(0, last)] if restart is None else [(0, restart), (restart, last)]
        for nth, (first, end) in enumerate(runs):
            own = {"namespace": namespace, "pod": pod, "container": container,
                   "id": f"/kubepods/{pod}/run{nth}"}

            def seconds(at, first=first, end=end):
                if not first <= at <= end or (first and at == first):
                    return None
                begun = START + STEP * first
                return round(cores * (START + STEP * at - begun) + (1000 if first == 0 else 0), 3)

            text.series("container_cpu_usage_seconds_total", own, seconds)
            if first:
                text.series("container_start_time_seconds", own,
                            lambda at, first=first: START + STEP * first if at > first else None)
        whole = {"namespace": namespace, "pod": pod, "container": "", "id": f"/kubepods/{pod}"}
        text.series("container_cpu_usage_seconds_total", whole, until(last, 99999))
    for namespace, pod, _, _, _, _, container, _, last in PODS:
        own = {"namespace": namespace, "pod": pod, "container": container, "id": f"/kubepods/{pod}"}
        text.series("container_memory_working_set_bytes", own, until(last, use[pod][1]))
    return text


def dcgm():
    text = Text()
    holders = [("train-0", "pytorch"), ("train-0", "pytorch"), ("notebook-0", "jupyter"), None]
    busy = [0.93, 0.88, 0.02, 0]
    for gpu, holder in enumerate(holders):
        own = {"gpu": gpu, "UUID": f"GPU-{gpu}", "modelName": "NVIDIA A10G", "Hostname": "gpu-1"}
        if holder:
            own.update({"namespace": "ml", "pod": holder[0], "container": holder[1]})
        text.series("DCGM_FI_PROF_GR_ENGINE_ACTIVE", own, busy[gpu])
        text.series("DCGM_FI_DEV_FB_USED", own, 20000 if holder else 0)
        text.series("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", own,
                    lambda at, gpu=gpu: 5_000_000_000 + at * STEP * 1000 * (250 if busy[gpu] else 30))
        text.series("DCGM_FI_DEV_XID_ERRORS", own, lambda at, gpu=gpu: 31 if gpu == 1 and at > 12 else 0)
    return text


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/fixtures")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in [("kube", kube()), ("cadvisor", cadvisor()), ("dcgm", dcgm())]:
        text.write(folder / f"{name}.om")


if __name__ == "__main__":
    main()
