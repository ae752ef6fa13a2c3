//! The shape of a day of requests.

use super::table::{TraceError, rows};
use farthing_model::Decimal;
use std::io::Read;

/// Reads `hour,factor` for the hours 0 to 23 in order; the factor of each hour in thousandths.
/// `file` names the input in messages.
///
/// # Errors
/// No CSV, a missing column, not exactly the 24 hours in order; a factor that is not positive, not
/// a decimal number, or over 1000.
pub fn read_day_shape(file: &str, input: impl Read) -> Result<[u32; 24], TraceError> {
    let mut next = 0_u32;
    let factors = rows((file, input), &["hour", "factor"], |row| {
        let hour: u32 = row.value(0, "an hour")?;
        if hour != next || hour > 23 {
            return Err(row.error(format!("hour {hour} is not {next}: the hours are 0 to 23")));
        }
        next += 1;
        let factor: Decimal = row.value(1, "a factor")?;
        let milli = u32::try_from(factor.nano() / 1_000_000).unwrap_or(0);
        if !(1..=1_000_000).contains(&milli) {
            return Err(row.error(format!("factor {factor} is not from 0.001 to 1000")));
        }
        Ok(milli)
    })?;
    <[u32; 24]>::try_from(factors).map_err(|short| TraceError::Line {
        file: file.to_owned(),
        line: u64::from(next) + 1,
        what: format!("there are {} hours of 24", short.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_24_hours_in_order() {
        let message =
            |text: &str| read_day_shape("day.csv", text.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            message("hour,factor\n0,1\n2,1\n"),
            "day.csv, line 3: hour 2 is not 1: \
             the hours are 0 to 23"
        );
        assert_eq!(message("hour,factor\n0,1\n1,1\n"), "day.csv, line 3: there are 2 hours of 24");
        assert_eq!(
            message("hour,factor\n0,-1\n"),
            "day.csv, line 2: factor -1 is not from 0.001 \
             to 1000"
        );
        assert!(message("hour,factor\n0,NaN\n").contains("`NaN`"));
        let shape = read_day_shape("day-shape.csv", crate::scenario::DAY.as_bytes()).unwrap();
        assert_eq!(shape.iter().sum::<u32>(), 24_000);
    }
}
