# The part of aiobotocore that the receiver uses; the package ships no types.
