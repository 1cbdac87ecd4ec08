r"""Numbers and units of the package siunitx, as TeX: `\SI{5e3}{\kilo\metre\per\second}` is 5×10³ km s⁻¹."""

import re

_PREFIXES = {
    "quecto": "q", "ronto": "r", "yocto": "y", "zepto": "z", "atto": "a", "femto": "f", "pico": "p",
    "nano": "n", "micro": "µ", "milli": "m", "centi": "c", "deci": "d", "deca": "da", "deka": "da",
    "hecto": "h", "kilo": "k", "mega": "M", "giga": "G", "tera": "T", "peta": "P", "exa": "E", "zetta": "Z",
    "yotta": "Y", "ronna": "R", "quetta": "Q", "kibi": "Ki", "mebi": "Mi", "gibi": "Gi", "tebi": "Ti",
    "pebi": "Pi", "exbi": "Ei",
}  # fmt: skip
_UNITS = {
    "ampere": "A", "candela": "cd", "kelvin": "K", "kilogram": "kg", "gram": "g", "metre": "m", "meter": "m",
    "mole": "mol", "second": "s", "becquerel": "Bq", "coulomb": "C", "degreeCelsius": "°C", "celsius": "°C",
    "farad": "F", "gray": "Gy", "hertz": "Hz", "henry": "H", "joule": "J", "katal": "kat", "lumen": "lm",
    "lux": "lx", "newton": "N", "ohm": "Ω", "pascal": "Pa", "radian": "rad", "siemens": "S", "sievert": "Sv",
    "steradian": "sr", "tesla": "T", "volt": "V", "watt": "W", "weber": "Wb", "day": "d", "hour": "h",
    "minute": "min", "year": "yr", "hectare": "ha", "litre": "L", "liter": "L", "tonne": "t", "dalton": "Da",
    "astronomicalunit": "au", "electronvolt": "eV", "neper": "Np", "bel": "B", "decibel": "dB", "bar": "bar",
    "angstrom": "Å", "barn": "b", "knot": "kn", "mmHg": "mmHg", "nauticalmile": "M", "atomicmassunit": "u",
    "parsec": "pc", "lightyear": "ly", "gauss": "G", "erg": "erg", "dyne": "dyn", "bit": "bit", "byte": "B",
    "arcminute": "′", "arcsecond": "″", "degree": "°", "percent": "%", "permille": "‰", "clight": "c",
    "solarmass": "M_⊙", "Molar": "M", "molar": "M", "torr": "Torr", "atm": "atm", "jansky": "Jy",
    "flop": "FLOP",
}  # fmt: skip
_SHORT_LINE = (
    "fg pg ng ug mg g kg pm nm um mm cm dm m km as fs ps ns us ms s fmol pmol nmol umol mmol mol kmol "
    "pA nA uA mA A kA ul ml l hl uL mL L hL mHz Hz kHz MHz GHz THz mN N kN MN Pa kPa MPa GPa mohm kohm "
    "Mohm pV nV uV mV V kV nW uW mW W kW MW GW uJ mJ J kJ MJ eV meV keV MeV GeV TeV kWh F fF pF nF uF "
    "mF H mH uH T mT uT K mK uK nK dB"
)
_ABBREVIATED = {
    name: ("µ" + name[1:] if name[0] == "u" else name).replace("ohm", "Ω") for name in _SHORT_LINE.split()
}
_POWERS = {"square": 2, "cubic": 3}
_AFTER_POWERS = {"squared": 2, "cubed": 3}
_PART = re.compile(r"\\([A-Za-z]+)\s*|\{([^{}]*)\}|([^\\{}]+)")
_FLOAT = re.compile(r"([-+]?(?:\d[\d ]*)?(?:[.,]\d+)?(?:\(\d+\))?)\s*[eEdD]\s*([-+]?\d+)")
_CLOSE = ("°", "′", "″", "%")


def number(source: str) -> str:
    """TeX for a number as siunitx reads it: `5e3`, `1.2 +- 0.3`, `3 x 4`."""
    shown = _FLOAT.sub(_scaled, source.strip().replace("+-", r"\pm ").replace("\\pm", r"\pm "))
    return re.sub(r"(?<=\d)\s*x\s*(?=\d)", r" \\times ", shown)


def _scaled(found: re.Match[str]) -> str:
    power = f"10^{{{found[2]}}}"
    return rf"{found[1]}\times{power}" if found[1].strip("+-") else f"{found[1]}{power}"


def quantity(amount: str, unit: str) -> str:
    """TeX for a number with its unit; a blank is between them, but not before a degree sign."""
    shown = units(unit)
    return (
        number(amount)
        + ("" if shown.removeprefix(r"\mathrm{").startswith(_CLOSE) and "C" not in shown else r"\,")
        + shown
    )


def angle(source: str) -> str:
    """TeX for `10;30;5`: degrees, minutes and seconds."""
    signs = ("°", "′", "″")
    parts = zip(source.split(";"), signs, strict=False)
    return "".join([f"{number(part)}{sign}" for part, sign in parts if part.strip()])


def units(source: str) -> str:
    """TeX for units: commands of siunitx, or units as they are typed."""
    if "\\" not in source:
        return rf"\mathrm{{{re.sub(r'[.~]', chr(92) + ',', source.strip())}}}"
    reader = _Units()
    for part in _PART.finditer(source):
        if part[1]:
            reader.read(part[1])
        elif part[2] is not None:
            reader.read_argument(part[2])
        else:
            reader.add(part[3].strip(" .~"))
    return reader.tex()


class _Units:
    """The units that were read so far, each with its power, and what applies to the next one."""

    def __init__(self) -> None:
        self._found: list[tuple[str, int]] = []
        self._awaited = ""
        self._clear()

    def _clear(self) -> None:
        self._prefix, self._sign, self._power = "", 1, 1

    def read(self, name: str) -> None:
        if name in _PREFIXES:
            self._prefix += _PREFIXES[name]
        elif name == "per":
            self._sign = -1
        elif name in _POWERS:
            self._power = _POWERS[name]
        elif name in _AFTER_POWERS:
            self._raise(_AFTER_POWERS[name])
        elif name in ("tothe", "raiseto", "of"):
            self._awaited = name
        else:
            self.add(_UNITS.get(name) or _ABBREVIATED.get(name) or name)

    def read_argument(self, argument: str) -> None:
        awaited, self._awaited = self._awaited, ""
        if awaited == "of" and self._found:
            unit, power = self._found[-1]
            self._found[-1] = f"{unit}_{{{argument}}}", power
        elif not argument.lstrip("-").isdecimal():
            self.add(argument)
        elif awaited == "raiseto":
            self._power = int(argument)
        else:
            self._raise(int(argument))

    def add(self, unit: str) -> None:
        if unit:
            self._found.append((self._prefix + unit, self._sign * self._power))
            self._clear()

    def _raise(self, power: int) -> None:
        if self._found:
            unit, before = self._found[-1]
            self._found[-1] = unit, before * power

    def tex(self) -> str:
        if self._prefix:
            self._found.append((self._prefix, self._sign))
        return r"\,".join([_powered(unit, power) for unit, power in self._found])


def _powered(unit: str, power: int) -> str:
    return rf"\mathrm{{{unit}}}" + (f"^{{{power}}}" if power != 1 else "")
