use super::*;
use std::io::Write as _;

fn read(format: JobFormat, text: &str) -> Result<Vec<TraceJob>, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let name = file.path().display().to_string();
    let jobs = format.open(file.path()).and_then(Iterator::collect);
    jobs.map_err(|error| error.to_string().replace(&name, "t"))
}

#[test]
fn each_format_reads_its_units() {
    let philly = "submit_time,duration_s,num_gpus,vc\n2017-09-04 10:30:41,60,8,a\n";
    let job = &read(JobFormat::Philly, philly).unwrap()[0];
    assert_eq!((job.submit_s, job.run_s, job.accelerators), (1_504_521_041, 60, 8));
    assert_eq!(job.team.as_deref(), Some("a"));
    let hours = read(JobFormat::Pai, "arrival_h,length_h,units\n0.5,0.0836111,3\n").unwrap();
    assert_eq!((hours[0].submit_s - UNDATED_S, hours[0].run_s), (1_800, 301));
    let seconds = read(JobFormat::Pai, "arrival_s,length_s,units\n68.0,1000.0,1\n").unwrap();
    assert_eq!((seconds[0].submit_s - UNDATED_S, seconds[0].run_s), (68, 1_000));
    let times = "2026-03-01T10:01:00|2026-03-01T10:02:00";
    let sacct = format!(
        "JobID|Account|Submit|Start|End|AllocTRES\n\
         7|x|2026-03-01T10:00:05|{times}|cpu=8,gres/gpu:a100=2,gres/gpu=2\n\
         7.batch|x|2026-03-01T10:00:00|{times}|cpu=8,gres/gpu=2\n\
         6|y|2026-03-01T10:00:00|{times}|gres/gpu:h100=4\n\
         8|y|2026-03-01T10:00:00|Unknown|Unknown|\n\
         9|y|2026-03-01T10:00:00|{times}|cpu=4\n"
    );
    let jobs = read(JobFormat::Slurm, &sacct).unwrap();
    let rows: Vec<_> =
        jobs.iter().map(|job| (job.name.as_deref(), job.run_s, job.accelerators)).collect();
    assert_eq!(rows, [(Some("6"), 60, 4), (Some("7"), 60, 2)]);
    let helios = "job_id,user,vc,gpu_num,cpu_num,state,submit_time,duration\n\
        2,u,v,0,1,COMPLETED,2020-04-01 00:00:00,10\n\
        3,u,v,8,1,COMPLETED,2020-04-01 00:00:05,10\n\
        1,u,v,1,1,FAILED,2020-04-01 00:00:01,7\n";
    let jobs = read(JobFormat::Helios, helios).unwrap();
    assert_eq!(jobs.iter().map(|job| job.accelerators).collect::<Vec<_>>(), [1, 8]);
    let plain = "submit,run_s,accelerators,job,team,deadline\n0,60,1,a,t,90\n5,0,2,,,\n";
    let jobs = read(JobFormat::Csv, plain).unwrap();
    assert_eq!(jobs[0].due_s, Some(UNDATED_S + 90));
    assert_eq!((jobs[1].name.as_deref(), jobs[1].run_s, jobs[1].due_s), (None, 0, None));
}

#[test]
fn what_cannot_be_is_told_with_its_row_and_what_was_probably_meant() {
    let head = "submit,run_s,accelerators,job,team,deadline\n";
    let told = |rows: &str| read(JobFormat::Csv, &format!("{head}{rows}")).unwrap_err();
    for (rows, message) in [
        (
            "9,1,1,,,\n5,1,1,,,\n",
            "t, line 3: submitted at 2020-01-01T00:00:05Z, before the row above \
          (2020-01-01T00:00:09Z): sort the rows by submission",
        ),
        ("0,-5,1,,,\n", "t, line 2: the job ends 5 s before it starts"),
        (
            "0,999999999,1,,,\n",
            "t, line 2: a run of 999999999 s is 11574 days: is it in milliseconds?",
        ),
        ("0,5,0,,,\n", "t, line 2: 0 accelerators are not from 1 to 1000000"),
        ("0,5,1.5,,,\n", "t, line 2: accelerators `1.5` is not a number of accelerators"),
        ("0,x,1,,,\n", "t, line 2: run_s `x` is not a number of seconds"),
        ("9,5,1,,,3\n", "t, line 2: the deadline is before the submission"),
        ("2026-13-01T00:00:00Z,5,1,,,\n", "t, line 2: submit `2026-13-01T00:00:00Z` is not a time"),
        (
            "1700000000000,5,1,,,\n",
            "t, line 2: 1700000000000 s: submitted in no year from \
          2000 to 2100: are times in seconds?",
        ),
        ("0,5,1\n", "t: not readable as CSV"),
        ("", "t: it has no rows"),
    ] {
        assert!(told(rows).starts_with(message), "{}", told(rows));
    }
    let millis = "0,3600000,1,,,\n".repeat(200);
    assert!(told(&millis).contains("run longer than 41 days: are run times in milliseconds?"));
    assert!(
        read(JobFormat::Csv, "submit,run_s\n").unwrap_err().contains("no column `accelerators`")
    );
    assert!(read(JobFormat::Csv, "PAR1 and no more").unwrap_err().ends_with("the file is damaged"));
    let ends = "JobID|Submit|Start|End|AllocTRES\n\
        7|2026-03-01T10:00:05|2026-03-01T10:01:00|2026-03-01T10:00:00|gres/gpu=2\n";
    let told = read(JobFormat::Slurm, ends).unwrap_err();
    assert_eq!(told, "t, line 2: the job ends 60 s before it starts");
}
