use super::*;
use farthing_model::Resources;
use std::path::PathBuf;

fn read_text(name: &str, text: &str) -> Asked {
    read(&PathBuf::from(name), text, "2026-11-01T00:00:00Z".parse().unwrap())
}

fn only(name: &str, text: &str) -> AskedJob {
    let asked = read_text(name, text);
    assert_eq!(asked.faults, [], "{text}");
    let [job] = &asked.jobs[..] else { panic!("{asked:?}") };
    job.clone()
}

const GIB: u64 = 1 << 30;

#[test]
fn a_job_asks_for_its_pods_as_the_scheduler_counts_them() {
    let job = only(
        "job.yaml",
        "kind: Job
metadata: {name: train-12, labels: {team: research}}
spec:
  parallelism: 4
  completions: 10
  activeDeadlineSeconds: 3600
  template:
    spec:
      nodeSelector: {nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3}
      initContainers:
        - {name: fetch, resources: {requests: {cpu: 20, memory: 1Gi}}}
        - {name: proxy, restartPolicy: Always, resources: {requests: {cpu: 500m}}}
      containers:
        - {name: main, image: 'a/b:1', resources: {requests: {cpu: '8', memory: 64Gi}, limits: {cpu: 16, nvidia.com/gpu: 2}}}
        - {name: side, resources: {limits: {cpu: 100m, memory: 1e9}}}
",
    );
    let [group] = &job.groups[..] else { panic!("{job:?}") };
    // 8 + 0.1 + 0.5 = 8.6 cores are less than the 20 that fetching takes before.
    let each = Resources {
        gpu_milli: 2_000,
        cpu_milli: 20_000,
        memory_bytes: 64 * GIB + 1_000_000_000,
        storage_bytes: 0,
    };
    assert_eq!((group.count, group.rounds, group.each), (4, 3, each));
    assert_eq!(group.accelerator.as_ref().unwrap().to_string(), "H100-80GB-SXM");
    assert_eq!(job.limit.as_ref().unwrap().length, SignedDuration::from_hours(1));
    assert_eq!(job.labels["team"], "research");
    assert_eq!((job.gpu_milli(), group.runs.as_str()), (8_000, "a/b"));
    let again = AskedJob { name: "train-13".to_owned(), ..job.clone() };
    assert_eq!(job.comparable(), again.comparable());
}

#[test]
fn operators_jobs_have_roles() {
    let pod = |gpus: u32| {
        format!(
            "{{spec: {{containers: [{{name: a, image: x, resources: {{limits: {{cpu: 4, memory: 8Gi, nvidia.com/gpu: {gpus}}}}}}}]}}}}"
        )
    };
    let cases = [
        (
            "PyTorchJob",
            format!(
                "spec:\n  runPolicy: {{activeDeadlineSeconds: 60}}\n  pytorchReplicaSpecs:\n    \
                 Master: {{replicas: 1, template: {0}}}\n    Worker: {{replicas: 3, template: \
                 {0}}}\n",
                pod(8)
            ),
            vec![("master", 1, 8_000), ("worker", 3, 8_000)],
            Some(60),
        ),
        (
            "RayJob",
            format!(
                "spec:\n  shutdownAfterJobFinishes: true\n  rayClusterSpec:\n    headGroupSpec: \
                 {{template: {}}}\n    workerGroupSpecs:\n      - {{groupName: gpu, replicas: 2, \
                 numOfHosts: 2, template: {}}}\n",
                pod(0),
                pod(1)
            ),
            vec![("head", 1, 0), ("gpu", 4, 1_000)],
            None,
        ),
        (
            "JobSet",
            format!(
                "spec:\n  replicatedJobs:\n    - {{name: driver, template: {{spec: \
                 {{activeDeadlineSeconds: 10, template: {0}}}}}}}\n    - {{name: workers, replicas: 2, \
                 template: {{spec: {{parallelism: 4, completions: 4, activeDeadlineSeconds: 30, \
                 template: {1}}}}}}}\n",
                pod(0),
                pod(1)
            ),
            vec![("driver", 1, 0), ("workers", 8, 1_000)],
            Some(30),
        ),
        (
            "Deployment",
            format!("spec:\n  replicas: 5\n  template: {}\n", pod(1)),
            vec![("pod", 5, 1_000)],
            None,
        ),
    ];
    for (kind, spec, groups, limit) in cases {
        let job = only("x.yaml", &format!("kind: {kind}\nmetadata: {{name: x}}\n{spec}"));
        let found: Vec<_> = job
            .groups
            .iter()
            .map(|group| (group.role.as_str(), group.count, group.each.gpu_milli))
            .collect();
        assert_eq!(found, groups, "{kind}");
        let seconds = job.limit.map(|limit| limit.length.as_secs());
        assert_eq!(seconds, limit, "{kind}");
        assert_eq!(job.endless, kind == "Deployment");
    }
}

#[test]
fn a_script_asks_for_nodes() {
    let job = only(
        "train.sbatch",
        "#!/bin/bash
#SBATCH --job-name=llm --account=research
#SBATCH -N 2 --ntasks-per-node=4
#SBATCH --cpus-per-task 12   # threads
#SBATCH --gres=gpu:h100:4,nvme:1
#SBATCH --mem=512G
#SBATCH --time=1-12:30:00
#SBATCH --array=0-9%5
module load cuda
#SBATCH --nodes=100
srun --mpi=pmix python train.py --lr 1
",
    );
    let [group] = &job.groups[..] else { panic!("{job:?}") };
    let each = Resources {
        gpu_milli: 4_000,
        cpu_milli: 48_000,
        memory_bytes: 512 * GIB,
        storage_bytes: 0,
    };
    assert_eq!((group.count, group.rounds, group.each), (10, 2, each));
    assert_eq!(group.accelerator.as_ref().unwrap().model(), "H100");
    assert_eq!((job.name.as_str(), group.runs.as_str()), ("llm", "python train.py"));
    // 36.5 hours, twice.
    assert_eq!(job.limit.unwrap().length, SignedDuration::from_hours(73));
    assert_eq!(job.labels["team"], "research");
    for (line, says) in [
        ("--time=1:2:3:4", "--time"),
        ("--mem=lots", "--mem"),
        ("--gres=gpu:h100:half", "whole number"),
        ("--nodes=many", "--nodes"),
        ("--array=9-1", "--array"),
    ] {
        let asked = read_text("bad.sh", &format!("#!/bin/sh\n#SBATCH {line}\ntrue\n"));
        assert_eq!(asked.jobs.len(), 0, "{line}");
        let told = asked.faults[0].to_string();
        assert!(told.contains(says) && told.contains("bad.sh:2"), "{told}");
    }
}

#[test]
fn a_compose_file_is_its_services_together() {
    let job = only(
        "compose.yaml",
        "name: lab
services:
  api: {image: a, cpus: 0.5, mem_limit: 512m, scale: 2}
  model:
    image: b
    deploy:
      replicas: 3
      resources:
        limits: {cpus: '8', memory: 32g}
        reservations:
          cpus: '4'
          devices: [{driver: nvidia, count: 2, capabilities: [gpu]}]
",
    );
    let found: Vec<_> = job
        .groups
        .iter()
        .map(|it| {
            (
                it.role.as_str(),
                it.count,
                it.each.cpu_milli,
                it.each.memory_bytes >> 20,
                it.each.gpu_milli,
            )
        })
        .collect();
    assert_eq!(found, [("api", 2, 500, 512, 0), ("model", 3, 4_000, 32 << 10, 2_000)]);
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_the_rest_goes_on() {
    let asked = read_text(
        "many.yaml",
        "kind: Pod
metadata: {name: half}
spec: {containers: [{name: a, resources: {limits: {nvidia.com/gpu: 0.5}}}]}
---
kind: Pod
metadata: {name: good}
spec: {containers: [{name: a, resources: {requests: {cpu: 1}}}]}
---
kind: Gizmo
metadata: {name: odd}
---
kind: ConfigMap
metadata: {name: ignored}
---
kind: Job
metadata: {name: empty}
spec: {template: {spec: {containers: []}}}
---
{: :}
",
    );
    assert_eq!(asked.jobs.len(), 1, "{asked:?}");
    assert_eq!(asked.jobs[0].name, "good");
    let told: Vec<String> = asked.faults.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[0].starts_with("many.yaml:3:") && told[0].contains("Pod half"), "{}", told[0]);
    assert!(told[0].contains("only whole ones"), "{}", told[0]);
    assert!(told[1].contains("Gizmo") && told[2].contains("Job empty"), "{told:?}");
    assert_eq!(read_text("none.yaml", "kind: ConfigMap\n").faults.len(), 1);
    for odd in ["", "[]", "kind: [a]", "services: 3", "kind: Job\nspec: 3", "\u{0}", "a: &a [*a]"] {
        let asked = read_text("odd.yaml", odd);
        assert_eq!((asked.jobs.len(), asked.faults.is_empty()), (0, false), "{odd}");
    }
}

#[test]
fn a_workload_takes_as_long_as_its_throughput_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("work.yaml");
    let text = "kind: Workload
metadata: {name: tune, labels: {team: research}}
spec:
  type: job
  work: 7200 steps
  throughput: [{accelerator: H100-80GB, count: 8, rate: 2 steps/s}]
  resources: {cpu: 64, memory: 512Gi}
";
    std::fs::write(&path, text).unwrap();
    let asked = read(&path, text, "2026-11-01T00:00:00Z".parse().unwrap());
    assert_eq!(asked.faults, []);
    let [(group, length)] = &asked.jobs[0].options[..] else { panic!("{asked:?}") };
    assert_eq!((group.each.gpu_milli, length.as_secs()), (8_000, 3_600));
    assert_eq!(asked.jobs[0].labels["team"], "research");
}
