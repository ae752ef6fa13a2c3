//! Readers of requests.

use super::*;
use std::fs;
use std::path::PathBuf;

const ALL: Sampled<'_> = Sampled { variant: None, share_ppm: ALL_PPM, seed: 1 };

fn read(format: RequestFormat, path: &Path, sampled: Sampled<'_>) -> Result<Vec<Request>, String> {
    let requests = format.open(path, sampled).and_then(Iterator::collect);
    requests.map_err(|error| error.to_string().replace(&path.display().to_string(), "t"))
}

fn azure(text: &str) -> Result<Vec<Request>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("conv.csv");
    fs::write(&path, text).unwrap();
    read(RequestFormat::AzureLlm, &path, ALL)
}

#[test]
fn requests_are_read_under_all_their_names() {
    let names = [
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n",
        "ts,context_tokens,generated_tokens\n2023-11-16T18:15:46.68059Z,374,44\n",
    ];
    for text in names {
        let all = azure(text).unwrap();
        assert_eq!(all[0].at_us, 1_700_158_546_680_590, "{text}");
        assert_eq!((all[0].input_tokens, all[0].output_tokens), (374, 44));
    }
    let all = azure("offset_ms,context_tokens,generated_tokens\n5,1,2\n5,3,4\n").unwrap();
    assert_eq!(all[1].at_us - all[0].at_us, 0);
}

#[test]
fn wrong_rows_are_named() {
    let head = "ts,context_tokens,generated_tokens\n";
    let wrong = |rows: &str| azure(&format!("{head}{rows}")).unwrap_err();
    assert_eq!(
        wrong("2023-11-16 18:00:01,1,1\n2023-11-16 18:00:00,1,1\n"),
        "t, line 3: a request before the one in the row above: sort the rows by time"
    );
    assert_eq!(
        wrong("2023-11-16 18:00:01,-1,1\n"),
        "t, line 2: context_tokens -1 is not a number of tokens from 0 to 10000000"
    );
    assert!(wrong("noon,1,1\n").contains("ts `noon` is no time such as"));
    assert!(wrong("1970-01-02 00:00:00,1,1\n").contains("in no year from 2000 to 2100"));
    assert!(wrong("2023-11-16 18:00:01,1\n").contains("not readable as CSV"));
    assert!(wrong("").contains("it has no rows"));
    assert!(azure("a,b\n1,2\n").unwrap_err().contains("there is no column `ts`"));
}

/// A folder with the two tables of `ServeGen`.
fn servegen(rates: &str, tokens: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let rates = format!("model,client,t_s,rate_rps,cv,pattern,arg1,arg2\n{rates}");
    fs::write(folder.path().join("client_rate_windows.csv"), rates).unwrap();
    let tokens = format!("model,client,t_s,field,mean,p50,p95,p99,max\n{tokens}");
    fs::write(folder.path().join("client_token_stats.csv"), tokens).unwrap();
    let path = folder.path().to_owned();
    (folder, path)
}

const TOKENS: &str = "m,0,0,input_tokens,100,80,200,300,400\nm,0,0,output_tokens,9,8,20,30,40\n";

#[test]
fn a_window_has_what_its_rates_say() {
    let rates = "m,0,0,1.5,1,Gamma,1.0,1\nm,7,0,0.5,2,Weibull,0.6,1\nm,0,600,2,1,Gamma,0.3,1\n";
    let (_folder, path) = servegen(rates, TOKENS);
    let all = read(RequestFormat::Servegen, &path, ALL).unwrap();
    let begin = all[0].at_us.div_euclid(1_000_000) / 600 * 600;
    let window = |at: i64| {
        let within = |request: &&Request| (request.at_us / 1_000_000 - begin) / 600 == at;
        all.iter().filter(within).count()
    };
    assert_eq!((window(0), window(1)), (1_200, 1_200));
    assert!(all.is_sorted_by_key(|request| request.at_us));
    assert!(all.iter().all(|request| (1..=400).contains(&request.input_tokens)));
    // Half of them have at most the median.
    let small = all.iter().filter(|request| request.input_tokens <= 80).count();
    assert!((1_100..1_300).contains(&small), "{small}");
    assert_eq!(read(RequestFormat::Servegen, &path, ALL).unwrap(), all);
    let other = Sampled { seed: 2, ..ALL };
    assert_ne!(read(RequestFormat::Servegen, &path, other).unwrap(), all);
    let tenth = Sampled { share_ppm: 100_000, ..ALL };
    assert_eq!(read(RequestFormat::Servegen, &path, tenth).unwrap().len(), 240);
}

#[test]
fn what_cannot_be_drawn_from_is_named() {
    let of = |rates: &str, tokens: &str, variant| {
        let (_folder, path) = servegen(rates, tokens);
        read(RequestFormat::Servegen, &path, Sampled { variant, ..ALL }).unwrap_err()
    };
    let good = "m,0,0,1,1,Gamma,1,1\n";
    assert!(of("m,0,5,1,1,Gamma,1,1\n", TOKENS, None).contains("is no begin of a window"));
    assert!(of("m,0,0,1,1,Pareto,1,1\n", TOKENS, None).contains("neither Gamma nor Weibull"));
    assert!(of("m,0,0,-1,1,Gamma,1,1\n", TOKENS, None).contains("rate_rps is not a number"));
    assert!(of(&format!("{good}{good}"), TOKENS, None).contains("twice"));
    assert!(of(good, TOKENS, Some("x")).contains("it has no model `x`; it has m"));
    assert!(of(&format!("{good}n,0,0,1,1,Gamma,1,1\n"), TOKENS, None).contains("m, n"));
    assert!(of(good, "", None).contains("has no input_tokens and output_tokens"));
    let falls = "m,0,0,input_tokens,100,80,70,300,400\n";
    assert!(of(good, falls, None).contains("do not rise"));
}
