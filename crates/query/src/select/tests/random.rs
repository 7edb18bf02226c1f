//! Random multi-column slices over mixed clustering orders against a naive filter, forwards, backwards and in pages.

use stdx::prng::Prng;

use super::Session;

const COLUMNS: [&str; 3] = ["a", "b", "c"];

/// One side of a range over the first columns.
struct Side {
    values: Vec<i64>,
    operator: &'static str,
}

impl Side {
    fn random(random: &mut Prng, operators: [&'static str; 2]) -> Side {
        let count = 1 + random.below(3) as usize;
        let values = (0..count).map(|_| random.below(4) as i64).collect();
        Side { values, operator: operators[random.below(2) as usize] }
    }

    fn text(&self) -> String {
        let values: Vec<String> = self.values.iter().map(i64::to_string).collect();
        format!("({}) {} ({})", COLUMNS[..values.len()].join(", "), self.operator, values.join(", "))
    }

    fn admits(&self, row: &[i64]) -> bool {
        let order = row[..self.values.len()].cmp(&self.values);
        match self.operator {
            ">" => order.is_gt(),
            ">=" => order.is_ge(),
            "<" => order.is_lt(),
            _ => order.is_le(),
        }
    }
}

fn rows_of(lines: &[String]) -> Vec<Vec<i64>> {
    let rows = lines.iter().filter_map(|line| line.strip_prefix("row: "));
    rows.map(|row| row.split(" | ").map(|value| value.parse().expect("an int")).collect()).collect()
}

#[test]
fn slices_are_what_a_naive_filter_leaves() {
    for directions in 0..8_usize {
        let is_descending = |column: usize| directions >> column & 1 == 1;
        let order = |flip: bool| {
            let shown = COLUMNS.iter().enumerate().map(|(index, name)| {
                format!("{name} {}", if is_descending(index) != flip { "DESC" } else { "ASC" })
            });
            shown.collect::<Vec<_>>().join(", ")
        };
        let mut session = Session::new();
        session.run(
            "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
        );
        session.run("USE ks");
        session.run(&format!(
            "CREATE TABLE t (k int, a int, b int, c int, PRIMARY KEY (k, a, b, c)) WITH CLUSTERING ORDER BY ({})",
            order(false)
        ));
        let mut all = Vec::new();
        for number in 0..64_i64 {
            let row = vec![number / 16, number / 4 % 4, number % 4];
            session
                .run(&format!("INSERT INTO t (k, a, b, c) VALUES (1, {}, {}, {})", row[0], row[1], row[2]));
            all.push(row);
        }
        all.sort_by(|x, y| {
            let columns = (0..3).map(|i| if is_descending(i) { y[i].cmp(&x[i]) } else { x[i].cmp(&y[i]) });
            columns.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        });
        let seed = 7 + directions as u64;
        let mut random = Prng::from_seed(seed);
        for _ in 0..60 {
            let mut sides = Vec::new();
            if random.below(4) > 0 {
                sides.push(Side::random(&mut random, [">", ">="]));
            }
            if random.below(4) > 0 {
                sides.push(Side::random(&mut random, ["<", "<="]));
            }
            let relations: String = sides.iter().map(|side| format!(" AND {}", side.text())).collect();
            let mut want: Vec<Vec<i64>> =
                all.iter().filter(|row| sides.iter().all(|side| side.admits(row))).cloned().collect();
            let statement = format!("SELECT a, b, c FROM t WHERE k = 1{relations}");
            assert_eq!(rows_of(&session.run(&statement)), want, "seed {seed}, {}: {statement}", order(false));
            want.reverse();
            let statement = format!("{statement} ORDER BY {}", order(true));
            assert_eq!(rows_of(&session.run(&statement)), want, "seed {seed}: {statement}");
        }
    }
}
