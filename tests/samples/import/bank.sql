-- What the bank had; the tests make its SQLite file of this.
CREATE TABLE branches (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE accounts (id INTEGER PRIMARY KEY, owner TEXT, username TEXT, password TEXT, balance REAL, clabe TEXT);
INSERT INTO accounts (owner, username, password, balance, clabe) VALUES
    ('Alice Liddell', 'alice', 'down-the-hole', 125.10, '032180000118359719'),
    ('Alice Liddell', 'alice', 'down-the-hole', 0.30000000000000004, '032180000118359720'),
    ('Eve', 'eve', 'plain-as-day', '10', '002010077777777771'),
    ('Frank', 'frank', '0123456789abcdef0123456789abcdef', 0, '002010077777777772'),
    ('Mallory', 'mallory', 'secret-debts', -5, '002010077777777773');
