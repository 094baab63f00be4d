# The part of botocore that the receiver uses; the package ships no types.
