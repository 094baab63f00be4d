-- beat --
UPDATE seats SET beat = beat + 1 WHERE seat = ?

-- seats --
SELECT seat, name, works, beat FROM seats ORDER BY seat

-- shares --
SELECT share, seat, epoch FROM shares ORDER BY share

-- take_shares --
UPDATE shares SET seat = ?, epoch = epoch + 1 WHERE share = ANY (?) AND seat IS NULL RETURNING share

-- give_shares --
UPDATE shares SET seat = NULL, epoch = epoch + 1 WHERE share = ANY (?) AND seat = ?

-- database_now --
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
