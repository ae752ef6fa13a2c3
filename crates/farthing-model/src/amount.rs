//! Amounts of resources as Kubernetes writes them: `100m`, `1.5`, `1Gi`, `1e3`, `2E`.
//!
//! Rounded up to the unit that is returned, as Kubernetes does. It refuses to know which resource
//! an amount is of. Start with [`cores_milli`] and [`bytes`].

/// Largest power of ten that is read; beyond it nothing is a size.
const EXPONENT_MAX: u32 = 30;

/// In 10^-9, rounded up as Kubernetes does.
fn nano(text: &str) -> Result<i128, String> {
    let bad = || format!("`{text}` is not a quantity such as 100m, 1.5, 1Gi or 1e3");
    let text = text.trim();
    let body = text.strip_prefix('+').unwrap_or(text);
    if body.starts_with('-') {
        return Err(format!("`{text}` is below zero"));
    }
    let end = body.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(body.len());
    let (number, unit) = body.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || number.len() > 30 {
        return Err(bad());
    }
    let digits: i128 = format!("{whole}{fraction}").parse().map_err(|_| bad())?;
    let below = u32::try_from(fraction.len()).map_err(|_| bad())?;
    let (times, power) = scale(unit).ok_or_else(bad)?;
    // digits x times x 10^power / 10^below, in 10^-9.
    let up = (power + 9).max(0).unsigned_abs();
    let down = below + (power + 9).min(0).unsigned_abs();
    if up > EXPONENT_MAX || down > EXPONENT_MAX {
        return Err(bad());
    }
    let above = digits.checked_mul(times).and_then(|all| all.checked_mul(10_i128.pow(up)));
    let above = above.ok_or_else(bad)?;
    let below = 10_i128.pow(down);
    Ok(above / below + i128::from(above % below != 0))
}

/// A unit as a factor and a power of ten.
fn scale(unit: &str) -> Option<(i128, i32)> {
    Some(match unit {
        "" => (1, 0),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        // `1e3` and `1E3` are exponents, `1E` is exa.
        exponent => {
            let digits = exponent.strip_prefix(['e', 'E'])?;
            (1, digits.parse().ok().filter(|power: &i32| power.abs() <= 30)?)
        }
    })
}

/// Cores, in thousandths.
///
/// # Errors
/// No amount, below zero, or more than fits.
pub fn cores_milli(text: &str) -> Result<u64, String> {
    let nano = nano(text)?;
    u64::try_from((nano + 999_999) / 1_000_000).map_err(|_| format!("`{text}` is too many cores"))
}

/// Cores, in 10^-9.
///
/// # Errors
/// No amount, below zero, or more than fits.
pub fn cores_nano(text: &str) -> Result<u64, String> {
    u64::try_from(nano(text)?).map_err(|_| format!("`{text}` is too many cores"))
}

/// Bytes.
///
/// # Errors
/// No amount, below zero, or more than fits.
pub fn bytes(text: &str) -> Result<u64, String> {
    let nano = nano(text)?;
    u64::try_from((nano + 999_999_999) / 1_000_000_000)
        .map_err(|_| format!("`{text}` is too many bytes"))
}

/// Accelerators: whole ones, as no scheduler gives out parts of one by the `name` of a device.
///
/// # Errors
/// No amount, below zero, not whole, or more than fits.
pub fn devices(name: &str, text: &str) -> Result<u64, String> {
    let nano = nano(text)?;
    if nano % 1_000_000_000 != 0 {
        return Err(format!(
            "`{text}` of {name}: only whole ones can be asked for; parts are slices (MIG) or time \
             slicing, which have resource names of their own"
        ));
    }
    u64::try_from(nano / 1_000_000_000).map_err(|_| format!("`{text}` is too many of {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_kubernetes_reads_them() {
        for (text, milli) in [
            ("100m", 100),
            ("0.1", 100),
            ("1", 1_000),
            ("1e3", 1_000_000),
            ("1E2", 100_000),
            ("15e-1", 1_500),
            ("+2", 2_000),
            ("1u", 1),
            (".5", 500),
            ("0", 0),
        ] {
            assert_eq!(cores_milli(text), Ok(milli), "{text}");
        }
        for (text, size) in [
            ("1Gi", 1 << 30),
            ("1.5Gi", 3 << 29),
            ("1G", 1_000_000_000),
            ("128974848", 128_974_848),
            ("129e6", 129_000_000),
            ("129M", 129_000_000),
            ("128974848000m", 128_974_848),
            ("1E", 1_000_000_000_000_000_000),
            ("1m", 1),
        ] {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for bad in ["", "x", "1 Gi", "1gi", "1..2", "-1", "1e", "1e99", "1Zi", "1.2.3", "1e3Gi"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
        assert!(devices("nvidia.com/gpu", "0.5").unwrap_err().contains("whole"));
        assert_eq!(devices("nvidia.com/gpu", "8"), Ok(8));
    }
}
