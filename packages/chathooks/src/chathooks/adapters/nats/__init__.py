"""The bell of a cluster: news of commits between its nodes, on NATS JetStream."""
