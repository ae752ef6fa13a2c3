//! Pods that share accelerators and the nodes for them, as in Alibaba's `openb` data.
//!
//! Nodes: `sn,cpu_milli,memory_mib,gpu,model`. Pods, in the order in which they arrive:
//! `pod,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec`, thousandths of each accelerator, and
//! models that will do by `|`, none for any.

use super::table::{Row, TraceError, rows};
use farthing_planner::placement::{NodeRoom, PodAsk};
use std::collections::BTreeSet;
use std::io::Read;

/// The nodes, and the models of their accelerators by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenbNodes {
    /// In the order of the file.
    pub nodes: Vec<NodeRoom>,
    /// By the numbers that nodes have.
    pub models: Vec<String>,
}

/// Reads nodes. `file` names the input in messages.
///
/// # Errors
/// No CSV, a missing column, no rows; a number that is none or that no node has; a name twice.
pub fn read_openb_nodes(file: &str, input: impl Read) -> Result<OpenbNodes, TraceError> {
    let (mut models, mut names) = (Vec::<String>::new(), BTreeSet::new());
    let columns = ["sn", "cpu_milli", "memory_mib", "gpu", "model"];
    let nodes = rows((file, input), &columns, |row| {
        if !names.insert(row.text(0).to_owned()) {
            return Err(row.error(format!("node {} is there twice", row.text(0))));
        }
        let known = models.iter().position(|model| model == row.text(4));
        let model = known.unwrap_or_else(|| {
            models.push(row.text(4).to_owned());
            models.len() - 1
        });
        let gpus = row.value(3, "a number of accelerators")?;
        let model = u8::try_from(model).unwrap_or(u8::MAX);
        NodeRoom::new(cores(row, 1)?, memory(row, 2)?, gpus, model)
            .map_err(|error| row.error(error.to_string()))
    })?;
    Ok(OpenbNodes { nodes, models })
}

/// Reads pods, for nodes of these models.
///
/// # Errors
/// No CSV, a missing column, no rows; a number that is none or that no pod can ask for, such as
/// more than 1,000 thousandths of one accelerator.
pub fn read_openb_pods(
    file: &str,
    input: impl Read,
    models: &[String],
) -> Result<Vec<PodAsk>, TraceError> {
    let columns = ["cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec"];
    rows((file, input), &columns, |row| {
        let gpus = row.value(2, "a number of accelerators")?;
        let milli = row.value(3, "thousandths of an accelerator")?;
        let pod = PodAsk::new(cores(row, 0)?, memory(row, 1)?, gpus, milli)
            .map_err(|error| row.error(error.to_string()))?;
        let spec = row.text(4).trim();
        if spec.is_empty() {
            return Ok(pod);
        }
        // A model that no node has is no bit: a pod that wants only that fits nowhere.
        let wanted: Vec<&str> = spec.split('|').map(str::trim).collect();
        let bits = models.iter().zip(0_u32..).filter(|(model, _)| wanted.contains(&model.as_str()));
        Ok(pod.only_on(bits.filter_map(|(_, at)| 1_u128.checked_shl(at)).fold(0, |a, b| a | b)))
    })
}

fn cores(row: &Row<'_>, index: usize) -> Result<u64, TraceError> {
    row.value(index, "thousandths of cores")
}

fn memory(row: &Row<'_>, index: usize) -> Result<u64, TraceError> {
    row.value(index, "MiB of memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: &str = "sn,cpu_milli,memory_mib,gpu,model\na,8000,100,2,T4\nb,4000,50,0,\n";

    #[test]
    fn models_are_numbered_and_pods_name_those_that_will_do() {
        let read = read_openb_nodes("nodes.csv", NODES.as_bytes()).unwrap();
        assert_eq!(
            (read.nodes.len(), read.models.as_slice()),
            (2, &["T4".into(), String::new()][..])
        );
        let pods = "seq,pod,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n\
                    0,p,1000,10,1,500,\n1,q,1000,10,1,1000,V100|T4\n2,r,1,1,1,1000,A100\n";
        let pods = read_openb_pods("pods.csv", pods.as_bytes(), &read.models).unwrap();
        let any = PodAsk::new(1_000, 10, 1, 500).unwrap();
        let t4 = PodAsk::new(1_000, 10, 1, 1_000).unwrap().only_on(1);
        let nowhere = PodAsk::new(1, 1, 1, 1_000).unwrap().only_on(0);
        assert_eq!(pods, [any, t4, nowhere]);
    }

    #[test]
    fn a_bad_line_says_what_would_be_right() {
        let nodes = |row: &str| {
            let text = format!("{NODES}{row}\n");
            read_openb_nodes("nodes.csv", text.as_bytes()).unwrap_err().to_string()
        };
        assert_eq!(nodes("a,1,1,1,T4"), "nodes.csv, line 4: node a is there twice");
        assert!(nodes("c,x,1,1,T4").contains("line 4: cpu_milli `x` is not thousandths of cores"));
        assert!(nodes("c,1,1,5000,T4").contains("accelerators is 5000, and at most 1024 can be"));
        let pods = |row: &str| {
            let text = format!("pod,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n{row}\n");
            read_openb_pods("pods.csv", text.as_bytes(), &[]).unwrap_err().to_string()
        };
        assert!(pods("p,1,1,1,1500,").contains("line 2: 1500 thousandths"));
        assert!(pods("p,-1,1,1,500,").contains("cpu_milli `-1` is not thousandths of cores"));
    }
}
