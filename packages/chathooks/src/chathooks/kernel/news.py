"""x"""

EVERYTHING = -1
