"""Numbers as people type them, and what each means: for the kernel's side and for the page's."""

NARROW, THIN, HARD, FIGURE, MINUS = "\u202f", "\u2009", "\u00a0", "\u2007", "\u2212"

TYPED = {
    "250": 250, " 7 ": 7, "007": 7, "+7": 7, "7.": 7, "7.0": 7, "٧": None,
    "0.5": 0.5, "0,5": 0.5, ".5": 0.5, ",5": 0.5, "-1.25": -1.25, "-1,25": -1.25,
    "1e-3": 0.001, "1,5e3": 1500, "2E2": 200,
    f"{MINUS}3": -3, "–3": -3, "‑3": -3, "－3": -3, "＋3": 3, "- 3": -3, "--3": None, "+-3": None,
    "1 000": 1000, f"1{HARD}000": 1000, f"1{THIN}000": 1000, f"1{NARROW}000": 1000,
    f"1{FIGURE}000": 1000, f"12{NARROW}500,75": 12500.75, f"{HARD}0,5{HARD}": 0.5,
    "1,000": 1000, "1,234,567.5": 1234567.5, "-1,000": -1000, "1.000.000": 1000000,
    "1.000,5": 1000.5, "1.234.567,25": 1234567.25, "1'000": 1000, "1’000.5": 1000.5, "1_000": 1000,
    "0,500": 0.5, "0.500": 0.5, "1.500": 1.5, "12,50": 12.5, "1,0000": 1, "1000,500": 1000.5,
    "1,00,000": None, "1,000,00": None, "1.2.3": None, "1,2,3": None, "1.000.00": None,
    "": None, " ": None, "-": None, ".": None, ",": None, "e5": None, "many": None, "1;2": None,
    "nan": None, "inf": None, "Infinity": None, "1e999": None, "0x10": None, "0b1": None,
    "1j": None, "1/2": None, "50%": None, "½": None, "None": None, "True": None,
}  # fmt: skip
"""By what is typed; None where it is no number."""
