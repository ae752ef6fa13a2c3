use super::*;
use proptest::prelude::*;

fn only(text: &str) -> Node {
    let mut documents = documents(text);
    assert_eq!(documents.len(), 1, "{documents:?}");
    documents.remove(0).unwrap()
}

fn fault(text: &str) -> String {
    let error = documents(text).into_iter().find_map(Result::err).expect("a fault");
    format!("{}:{}: {}", error.spot.line, error.spot.column, error.what)
}

#[test]
fn scalars_keep_their_text_and_place() {
    let node = only("a: 0.10\nb:\n  - 1e3\n  - \"yes\"\nc: ~\n");
    assert_eq!(node.get("a").unwrap().text(), Some("0.10"));
    assert_eq!(node.get("a").unwrap().spot, Spot { line: 1, column: 4 });
    let Value::List(items) = &node.get("b").unwrap().value else { panic!() };
    assert_eq!(items[1].text(), Some("yes"));
    assert_eq!(items[1].spot, Spot { line: 4, column: 5 });
    assert!(matches!(node.get("c").unwrap().value, Value::Null));
}

#[test]
fn documents_are_apart_and_lines_count_through() {
    let found = documents("# head\n---\na: 1\n---\n: : [\n---\nb: 2\n--- # end\n");
    assert_eq!(found.len(), 3);
    assert_eq!(found[0].as_ref().unwrap().get("a").unwrap().spot.line, 3);
    assert!(found[1].is_err());
    assert_eq!(found[2].as_ref().unwrap().get("b").unwrap().spot.line, 7);
    assert_eq!(documents("%YAML 1.2\n---\na: 1\n").len(), 1);
    assert!(documents("# only a comment\n").is_empty());
}

#[test]
fn aliases_stand_for_values() {
    let node = only("a: &x {b: 1}\nc: *x\n");
    assert_eq!(node.get("c").unwrap().get("b").unwrap().text(), Some("1"));
}

/// Twelve lists, each of ten aliases of the one before it.
fn alias_bomb() -> String {
    let level = |level: usize| match level {
        0 => "a0: &a0 [x, x, x, x, x, x, x, x, x, x]".to_owned(),
        _ => format!("a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 10].join(", ")),
    };
    (0..12).map(level).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_alias_bomb_is_refused() {
    let text = alias_bomb();
    assert_eq!(
        fault(&text),
        "6:20: makes more than 500000 values (aliases count as what they stand for)"
    );
}

#[test]
fn a_depth_bomb_is_refused() {
    let flow = format!("a: {}", "[".repeat(100_000));
    assert!(fault(&flow).contains("is nested deeper than 64 levels"), "{}", fault(&flow));
    let block = (0..2_000).map(|depth| format!("{}a:", " ".repeat(depth)));
    let block = block.collect::<Vec<_>>().join("\n");
    assert!(fault(&block).contains("is nested deeper than 64 levels"), "{}", fault(&block));
}

#[test]
fn what_is_not_plain_data_is_refused() {
    assert_eq!(fault("a: 1\nb: 2\na: 3\n"), "3:1: `a` is given twice, first in line 1");
    assert_eq!(fault("a: &x [*x]\n"), "1:8: is an alias of something that is not complete here");
    assert_eq!(fault("? [a, b]\n: 1\n"), "1:3: is a list as a key; keys are plain names");
    assert!(fault("a: !secret x\n").starts_with("1:"), "{}", fault("a: !secret x\n"));
    assert!(fault("a: [1, 2\n").contains("is not YAML"), "{}", fault("a: [1, 2\n"));
}

proptest! {
    #[test]
    fn no_text_panics(text in "[ -~\n\t&*:\\[\\]{}|>'\"]{0,200}") {
        let _ = documents(&text);
    }
}
