# The part of Django that the receiver uses; the package ships no types.
