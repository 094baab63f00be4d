"""What the proofs of the delivery guarantees share: a served process, its endpoints, a model of the engine."""
