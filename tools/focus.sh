#!/usr/bin/env bash
# Exports books in FOCUS form and has the official validator look at them: `tools/focus.sh PROGRAM`.
#
# The validator (focus-validator on PyPI) runs in a virtual environment of its own, which is kept
# under the user's cache folder. It ends with status 0 also where rules fail, so its `Total:` line
# and the names of the rules are read.
#
# Status 0: clean. 1: a rule fails. 3: it cannot be had on this machine; the last line says why.
set -euo pipefail
program=$1

# Rules of the model of 1.2.0.1 that an export cannot satisfy, as they are evaluated without the
# condition that their text states ("when CommitmentDiscountId is not null"), and those that only
# collect them. Of InvoiceId-C-004 (always null) and -C-005 (never null) one fails in every file.
known='CapacityReservationStatus-C-004-C CapacityReservationStatus-C-002-C
    CapacityReservationStatus-C-000-C CommitmentDiscountStatus-C-004-C
    CommitmentDiscountStatus-C-002-C CommitmentDiscountStatus-C-000-C
    InvoiceId-C-004-C InvoiceId-C-005-C CostAndUsage-D-002-M CostAndUsage-D-000-M'

one_of_two='InvoiceId-C-004-C InvoiceId-C-005-C'

left_out() {
    echo "$1"
    exit 3
}

python() {
    local name path
    for name in python3.13 python3.12 "$HOME"/.pyenv/versions/3.1[23].*/bin/python python3; do
        path=$(command -v "$name") || continue
        # Names of pyenv may stand for nothing.
        "$path" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || continue
        echo "$path"
        return 0
    done
    return 1
}

validator() {
    local venv=${XDG_CACHE_HOME:-$HOME/.cache}/farthing/focus-validator-2.2.1 found
    if [ ! -x "$venv/bin/focus-validator" ]; then
        found=$(python) || left_out 'the FOCUS validator needs Python 3.12 or newer'
        rm -rf "$venv"
        "$found" -m venv "$venv" &&
            "$venv/bin/pip" install --quiet --disable-pip-version-check \
                focus-validator==2.2.1 pyarrow==18.1.0 >&2 ||
            left_out 'the FOCUS validator cannot be installed (pip install focus-validator==2.2.1)'
    fi
    echo "$venv"
}

venv=$(validator) || left_out "${venv:-the FOCUS validator cannot be had}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A simulated cluster has every kind of charge: spot, on demand, boots, what nobody asked for.
FARTHING_DATA=$work/state "$program" up --demo --no-listen --for 6s >"$work/demo" 2>&1
FARTHING_DATA=$work/state "$program" export focus --out "$work/focus.csv"
cd "$venv"/lib/python3.*/site-packages

# Prints the total, and the rules that fail but are not named after the criteria.
failing() {
    local criteria=$1 known=$2 found
    PYTHONDONTWRITEBYTECODE=1 "$venv/bin/focus-validator" --data-file "$work/focus.csv" \
        --validate-version 1.2 --block-download --applicability-criteria "$criteria" \
        >"$work/result" 2>&1
    grep '^Total:' "$work/result" || {
        tail -n 20 "$work/result"
        exit 1
    }
    found=$(sed -n 's/^❌ \([A-Za-z]*-[A-Z]-[0-9]*-[A-Z]\): FAIL.*/\1/p' "$work/result" | sort -u)
    bad=$(comm -23 <(printf '%s\n' "$found") <(printf '%s\n' $known | sort -u))
    if [ -n "$bad" ]; then
        grep -F "$bad" "$work/result" | head -n 40
        exit 1
    fi
}

# First by the criteria that are true of these rows: none has a commitment or a reservation.
all=$(sed -n 's/^ *"\([A-Z_]*_SUPPORTED\)": {.*/\1/p' focus_validator/rules/model-1.2.0.1.json)
applying=$(printf '%s\n' $all | grep -v '^COMMITMENT_DISCOUNT\|^CAPACITY_RESERVATION' | paste -sd,)
failing "$applying" "$one_of_two"
echo "clean by the criteria that apply, but for one side of an OR whose other side passes"
failing ALL "$known"
echo "clean by all criteria, but for rules that contradict others"
