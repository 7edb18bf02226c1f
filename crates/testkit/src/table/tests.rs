use super::render;

#[test]
fn a_row_is_a_line() {
    let rows = vec![vec!["1", "'a\nb'"], vec!["2", "null"]];
    assert_eq!(render(&["k", "v"], &rows), " k | v\n---+---\n 1 | 'a\\nb'\n 2 | null\n(2 rows)\n");
}

#[test]
fn no_rows_still_show_the_columns() {
    assert_eq!(render(&["k"], &Vec::<Vec<&str>>::new()), " k\n---\n(0 rows)\n");
}
