"""ICC profiles, written by hand."""

import struct


def fixed(number):
    return struct.pack(">i", round(number * 65536))


def gamma_curve(gamma):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def profile(gamma=2.2, model=b"RGB ", curve=None):
    """An ICC profile of the primaries of Display P3, or one of grays."""

    def xyz(*numbers):
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, numbers))

    curve = curve or gamma_curve(gamma)
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"Test\0" + b"\0" * 78
    tags = {b"desc": name, b"wtpt": xyz(0.9642, 1, 0.8249)}
    tags[b"cprt"] = b"text\0\0\0\0none\0\0\0\0"
    if model == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        tags[b"rXYZ"] = xyz(0.51512, 0.24120, -0.00105)
        tags[b"gXYZ"] = xyz(0.29198, 0.69225, 0.04189)
        tags[b"bXYZ"] = xyz(0.15710, 0.06657, 0.78407)
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    start = 132 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for sign, data in tags.items():
        data += b"\0" * (-len(data) % 4)
        table += sign + struct.pack(">II", start + len(body), len(data))
        body += data
    kinds = (b"lcms", b"\x02\x40\0\0", b"mntr", model, b"XYZ ")
    head = struct.pack(">I", start + len(body)) + b"".join(kinds)
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    head += fixed(0.9642) + fixed(1) + fixed(0.8249) + b"\0" * 48
    return head + table + body


def parametric(form, *numbers):
    """A curve of one of the forms that the ICC has."""
    head = b"para\0\0\0\0" + struct.pack(">HH", form, 0)
    return head + b"".join(map(fixed, numbers))


SRGB_CURVE = parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
# The second has the curve of sRGB, too, as the photographs of phones.
P3, DISPLAY_P3 = profile(), profile(curve=SRGB_CURVE)


def ink_profile(paper=(100, 0, 0), cyan=(55, -30, -40)):
    """An ICC profile of CMYK in which all inks are black, but cyan alone is not."""
    identity = bytes(range(256))
    matrix = [1, 0, 0, 0, 1, 0, 0, 0, 1]
    table = b""
    for inks in range(16):
        # The last ink changes fastest.
        light, a, b = {0: paper, 8: cyan}.get(inks, (0, 0, 0))
        table += bytes([round(light * 2.55), a + 128, b + 128])
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + b"".join(map(fixed, matrix))
    lut += 4 * identity + table + 3 * identity
    icc = profile(curve=lut)
    icc = icc.replace(b"mntrRGB XYZ ", b"prtrCMYKLab ")
    for name, of_inks in ((b"rTRC", b"A2B0"), (b"gTRC", b"A2B1"), (b"bTRC", b"A2B2")):
        icc = icc.replace(name, of_inks)
    return icc
