-- One sweep per lane, whatever was withdrawn: which deliveries it cancels is in the lane's `withdrawn`.
CREATE TABLE sweeps (
    lane BIGINT PRIMARY KEY,
    from_number BIGINT NOT NULL,          -- done below
    below_number BIGINT NOT NULL
);
INSERT INTO sweeps (lane, from_number, below_number)
SELECT lane, MIN(from_number), MAX(below_number) FROM cancellations GROUP BY lane;
DROP TABLE cancellations;
