"""The colours of pictures and pages: Okabe & Ito's palette, told apart with any colour vision."""

BLUE, VERMILION, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7F7F7F"
CLASS_COLOURS = {"AGN": BLUE, "SN": VERMILION, "VS": GREEN, "asteroid": PURPLE, "bogus": GREY}  # everywhere the same
