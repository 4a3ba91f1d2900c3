"""
What banks write is read, and nothing that is in a file can do more than be refused.
"""

from __future__ import annotations

from datetime import date

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from securehub.money import Currency
from securehub.outside import figures, read
from securehub.outside.rows import MAX_TEXT, Row
from securehub.outside.tables import MAX_NAME, MOST_COLUMNS, MOST_LINES
from securehub.refusals import BadArgument, LimitExceeded

USD = Currency("USD", 2)
JPY = Currency("JPY", 0)
GOLD = Currency("GOLD", 6)

SGML = """\
OFXHEADER:100
DATA:OFXSGML
VERSION:102

<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>USD
<BANKACCTFROM><BANKID>1<ACCTID>12345<ACCTTYPE>CHECKING</BANKACCTFROM>
<BANKTRANLIST><DTSTART>20261101<DTEND>20261130
<STMTTRN>
<TRNTYPE>DEBIT
<DTPOSTED>20261119120000[-6:CST]
<TRNAMT>-12.50
<FITID>2026111901
<NAME>Bob &amp; Sons
<MEMO>bread
</STMTTRN>
<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20261120<TRNAMT>1500.00<FITID>2026112001<NAME>ACME</STMTTRN>
</BANKTRANLIST><LEDGERBAL><BALAMT>9.99<DTASOF>20261130</LEDGERBAL></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>
"""
XML = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE OFX [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<?OFX OFXHEADER="200" VERSION="211"?>
<OFX><CREDITCARDMSGSRSV1><CCSTMTTRNRS><CCSTMTRS><CURDEF>USD</CURDEF><CCACCTFROM><ACCTID>99</ACCTID></CCACCTFROM>
<BANKTRANLIST><STMTTRN><TRNTYPE>DEBIT</TRNTYPE><DTPOSTED>20261119</DTPOSTED><TRNAMT>-7,25</TRNAMT><FITID>a</FITID>
<PAYEE><NAME>Cinema</NAME><CITY>Puebla</CITY></PAYEE><MEMO>&x;</MEMO></STMTTRN></BANKTRANLIST></CCSTMTRS></CCSTMTTRNRS></CREDITCARDMSGSRSV1></OFX>
"""


def rows(text: str, money: Currency = USD, order: str | None = None) -> list[tuple[str, int, str, str]]:
    return [(row.day.isoformat(), row.units, row.payee, row.text) for row in read(text, money, order=order)]


class FigureTests(SynchronousTestCase):
    """Amounts and days as they are written here and there."""

    def test_amounts(self) -> None:
        for written, units in (
            ("12.50", 1250),
            ("12,5", 1250),
            ("-1.234,56", -123456),
            ("1,234.56-", -123456),
            ("(12.50)", -1250),
            ("$1,234", 123400),
            ("1.234", 123400),
            ("0.500", 50),
            ("-0,500", -50),
            ("1234.500", 123450),
            ("1 234,00 €", 123400),
            ("1'234.50", 123450),
            ("1,234,567", 123456700),
            ("+7", 700),
            ("\u22127.5", -750),
            ("USD 12.500000", 1250),
            ("-$12.50", -1250),
            ("$-12.50", -1250),
            ("12.50 DR", -1250),
            ("12.50 CR", 1250),
            ("12,50 S", -1250),
            ("12,50 H", 1250),
            ("12.50 EUR dr", -1250),
        ):
            self.assertEqual(figures.units(written, USD), units, written)
        self.assertEqual(figures.units("1,234", JPY), 1234)
        self.assertEqual(figures.units("1234.00", JPY), 1234)
        self.assertEqual(figures.units("1.234", GOLD), 1_234_000)

    def test_no_amounts(self) -> None:
        for wrong in ("", "-", "1.2345", "1.234,567", "12.5.", "0x10", "٣", "1e3x", "1" * 16, "12..5", "1234.567"):
            self.assertRaises(BadArgument, figures.units, wrong, USD)

    def test_mark(self) -> None:
        """One amount that can be read in one way only settles what a point is in the others."""
        for texts, mark in (
            (("1.234", "12.5"), "."),
            (("1.234", "12,5", ""), ","),
            (("1.234,567", "x"), ","),
            (("1234.500",), "."),
            (("0.500",), "."),
            (("1.234", "1,234", "1.234.567", "12"), ""),
            (("12.5", "12,5"), ""),
        ):
            self.assertEqual(figures.decimal_mark(texts), mark, texts)
        self.assertEqual(figures.units("12.340", USD, mark="."), 1234)
        self.assertEqual(figures.units("12.340", USD, mark=","), 1234000)
        self.assertEqual(figures.units("1,234", GOLD, mark="."), 1_234_000_000)
        self.assertRaises(BadArgument, figures.units, "12.345", USD, mark=".")

    def test_days(self) -> None:
        for written in (
            "2026-11-05",
            "20261105",
            "2026/11/05",
            "05.11.2026",
            "5.11.26",
            "5 Nov 2026",
            "05-Nov-2026",
            "2026-11-05T10:00:00Z",
        ):
            for order in figures.ORDERS:
                self.assertEqual(figures.day(written, order), date(2026, 11, 5), written)
        self.assertEqual(figures.day("05/11/2026", "dmy"), date(2026, 11, 5))
        self.assertEqual(figures.day("11/05/2026", "mdy"), date(2026, 11, 5))
        for wrong in ("", "2026-13-01", "31.02.2026", "5 Foo 2026", "today", "0/0/0000"):
            self.assertRaises(BadArgument, figures.day, wrong)

    def test_order(self) -> None:
        """One date that can be read in one way only settles it for all; else somebody has to say."""
        self.assertEqual(figures.days(["1/2/2026", "13/2/2026"])[0], date(2026, 2, 1))
        self.assertEqual(figures.days(["1/2/2026", "2/13/2026"])[0], date(2026, 1, 2))
        self.assertEqual(figures.days(["2/2/2026"]), [date(2026, 2, 2)])
        self.assertRaises(BadArgument, figures.days, ["1/2/2026"])
        self.assertRaises(BadArgument, figures.days, ["13/2/2026", "2/13/2026"])


class TableTests(SynchronousTestCase):
    """CSV of all kinds."""

    def test_plain(self) -> None:
        self.assertEqual(rows('Date,Description,Amount\n2026-11-05,"Coffee, black",-3.50\n'), [("2026-11-05", -350, "", "Coffee, black")])

    def test_three_decimals(self) -> None:
        """Where a point stands before cents, 12.340 is not twelve thousand; nor is it tens of thousands where one is refused."""
        text = "Date,Amount\n2026-11-05,-3.5\n2026-11-06,{}\n"
        self.assertEqual([units for _, units, *_ in rows(text.format("-12.340"))], [-350, -1234])
        self.assertIn("row 3: '-12.345' has more decimals", str(self.assertRaises(BadArgument, rows, text.format("-12.345"))))

    def test_german(self) -> None:
        """Semicolons, commas, names with umlauts, and lines above the header."""
        text = (
            "\ufeffKonto: 123;\nvon 01.11.2026;bis 30.11.2026\n\n"
            "Buchungstag;Valuta;Name Zahlungsbeteiligter;Verwendungszweck;Betrag;Währung\n"
            "05.11.2026;05.11.2026;REWE Köln;Einkauf;-1.234,56;USD\n06.11.2026;06.11.2026;Shop;Buch;-5,00;EUR\n"
        )
        self.assertEqual(rows(text), [("2026-11-05", -123456, "REWE Köln", "Einkauf")])

    def test_mexican(self) -> None:
        """A column for what went and one for what came."""
        text = 'Fecha,Concepto,Cargo,Abono\n13/11/2026,Café,"1,200.50",\n01/11/2026,Nómina,,"$10,000.00"\n'
        self.assertEqual(rows(text), [("2026-11-13", -120050, "", "Café"), ("2026-11-01", 1000000, "", "Nómina")])

    def test_direction(self) -> None:
        """A word beside an amount without a sign."""
        text = "Date,Credit/Debit,Amount,Name\n2026-11-05,Debit,12.5,Bob\n2026-11-05,Credit,3,Carol\n"
        self.assertEqual(rows(text), [("2026-11-05", -1250, "Bob", ""), ("2026-11-05", 300, "Carol", "")])

    def test_direction_by_sign(self) -> None:
        """A minus of its own says it, too; but not as the type of a booking, where it stands for none."""
        text = "Fecha,Descripción,{},Importe\n13/11/2026,Compra,-,120.50\n13/11/2026,Pago,+,3\n"
        self.assertEqual([units for _, units, *_ in rows(text.format("Cargo/Abono"))], [-12050, 300])
        self.assertEqual([units for _, units, *_ in rows(text.format("Tipo"))], [12050, 300])

    def test_direction_without_a_name(self) -> None:
        """Cooperative banks of Germany give that column no name."""
        text = "Buchungstag;Empfänger;Umsatz;\n05.11.2026;REWE;12,34;S\n06.11.2026;ACME;1.012,34;H\n"
        self.assertEqual([units for _, units, *_ in rows(text)], [-1234, 101234])
        self.assertEqual([units for _, units, *_ in rows(text.replace("H", "x"))], [1234, 101234])

    def test_amounts_by_direction(self) -> None:
        """A column whose name begins with that of an amount may be for what went alone."""
        text = "Date,Narration,Amount Debit,Amount Credit\n2026-11-05,Bread,12.00,\n2026-11-05,Pay,,3.00\n"
        self.assertEqual(rows(text), [("2026-11-05", -1200, "", "Bread"), ("2026-11-05", 300, "", "Pay")])

    def test_names(self) -> None:
        """What large banks call a payee and a text."""
        for name, found in (
            ("Partner Name", ("x", "")),
            ("Name / Description", ("x", "")),
            ("Auftraggeber/Empfänger", ("x", "")),
            ("Transaction Description", ("", "x")),
            ("Payment Reference", ("", "x")),
            ("Vorgang/Verwendungszweck", ("", "x")),
        ):
            self.assertEqual(rows(f"Buchung;{name};Betrag\n05.11.2026;x;-3\n"), [("2026-11-05", -300, *found)], name)

    def test_our_own(self) -> None:
        """What C{ledger.statement format=csv} of another hub says."""
        head = "transfer,at,kind,amount,currency,balance,with,memo"
        opened = "1,2026-11-19T18:02:00.063797Z,deposit,100.00,USD,100.00,@cash,"
        lunch = '2,2026-11-20T00:02:00+14:00,transfer,-12.50,USD,87.50,bob,"for lunch\nand tea"'
        wanted = [("2026-11-19", 10000, "@cash", ""), ("2026-11-20", -1250, "bob", "for lunch and tea")]
        self.assertEqual(rows(f"{head}\n{opened}\n{lunch}\n"), wanted)

    def test_no_header(self) -> None:
        """Columns are found by what is in them."""
        self.assertEqual(
            rows("2026-11-05\t-3.50\tCafé\tblack\n2026-11-06\t4\tBob\t"),
            [("2026-11-05", -350, "Café", "black"), ("2026-11-06", 400, "Bob", "")],
        )

    def test_no_header_and_no_words(self) -> None:
        """A column without a letter, such as a star or the number of a cheque, is no payee."""
        text = '"11/25/2026","-12.50","*","","WALMART"\n"11/26/2026","-3.50","*","101","SHELL"\n'
        self.assertEqual(rows(text), [("2026-11-25", -1250, "WALMART", ""), ("2026-11-26", -350, "SHELL", "")])

    def test_open_quote(self) -> None:
        """It would swallow the rows below it, and nobody would know."""
        text = 'Date,Amount,Text\n2026-11-05,-3,"3/4"" of, that"\n2026-11-06,-4,{}12"\n2026-11-07,-5,x\n'
        self.assertEqual([units for _, units, *_ in rows(text.format(""))], [-300, -400, -500])
        self.assertIn("never closed", str(self.assertRaises(BadArgument, rows, text.format('"') + '2026-11-08,-6,"y\n')))
        self.assertRaises(BadArgument, rows, '2026-11-06,-4,a\n2026-11-06,-4,"x\n')

    def test_currencies(self) -> None:
        """Rows in another currency are left out; where all are, whoever sends it is told."""
        text = "Date,Amount,Currency\n2026-11-05,-1,{}\n2026-11-06,-2,EUR\n"
        self.assertEqual([units for _, units, *_ in rows(text.format("usd"))], [-100])
        refused = self.assertRaises(BadArgument, rows, text.format("$"))
        self.assertEqual(str(refused), "the statement is in 'EUR', and the budget in USD")

    def test_what_is_left_out(self) -> None:
        """Lines without a date, and amounts of nothing."""
        text = "Date,Amount,Text\n2026-11-05,0.00,Note\n,12.00,Sum\n\n2026-11-06,1,x\n"
        self.assertEqual(rows(text), [("2026-11-06", 100, "", "x")])

    def test_where_it_is_wrong(self) -> None:
        refused = self.assertRaises(BadArgument, rows, "Date,Amount\n2026-11-05,1\n2026-11-05,abc\n")
        self.assertIn("row 3: 'abc' is not an amount", str(refused))
        self.assertRaises(BadArgument, rows, "")
        self.assertRaises(BadArgument, rows, "Date,Debit,Credit\n2026-11-05,,\n")

    def test_wide(self) -> None:
        """So many columns are looked at: to look for each of the known names in thousands took a quarter of a second."""
        for fillers, found in ((MOST_COLUMNS - 2, 1), (MOST_COLUMNS, 0)):
            text = f"{'x,' * fillers}date,amount\n{'y,' * fillers}2026-11-19,-3\n"
            if found:
                self.assertEqual(read(text, USD), [Row(date(2026, 11, 19), -300, "", "", which=1)])
            else:
                self.assertRaises(BadArgument, read, text, USD)

    def test_many_lines(self) -> None:
        """Far more than can be entered at once are not even looked at."""
        text = "date,amount\n" + "1/1/26,1\n" * (MOST_LINES - 1)
        self.assertEqual(len(read(text, USD)), MOST_LINES - 1)
        self.assertRaises(LimitExceeded, read, f"{text}1/1/26,1\n", USD)

    def test_long_names(self) -> None:
        """So much of a name is looked at: to put thousands of marks that stand on one letter in their order took 0.3 s."""
        rest = ",amount\n2026-11-19,-3\n"
        self.assertEqual(len(read(f"{'.' * (MAX_NAME - 4)}date{rest}", USD)), 1)
        self.assertRaises(BadArgument, read, f"{'.' * MAX_NAME}date{rest}", USD)

    def test_texts(self) -> None:
        """On one line, without what moves a cursor, and not endless."""
        (row,) = read(f'Date,Amount,Text\n2026-11-05,1,"a\nb\x1b[2J\u202ec{"x" * 999}"', USD)
        self.assertTrue(row.text.startswith("a b [2J c"), row.text)
        self.assertEqual(len(row.text), MAX_TEXT)


class OFXTests(SynchronousTestCase):
    """OFX of both kinds."""

    def test_sgml(self) -> None:
        found = read(SGML, USD)
        self.assertEqual([(row.units, row.payee, row.text, row.id, row.account) for row in found], [
            (-1250, "Bob & Sons", "bread", "2026111901", "12345"),
            (150000, "ACME", "", "2026112001", "12345"),
        ])  # fmt: skip
        self.assertEqual([row.day for row in found], [date(2026, 11, 19), date(2026, 11, 20)])

    def test_xml(self) -> None:
        """Entities of its own are not looked up."""
        (row,) = read(XML, USD)
        self.assertEqual((row.units, row.payee, row.text, row.account), (-725, "Cinema", "&x;", "99"))

    def test_no_end_tags(self) -> None:
        """Not even of transactions."""
        text = "<OFX><STMTTRN><DTPOSTED>20261119<TRNAMT>-1<FITID>1<STMTTRN><DTPOSTED>20261120<TRNAMT>2<FITID>2"
        self.assertEqual([row.units for row in read(text, USD)], [-100, 200])

    def test_three_decimals(self) -> None:
        """Thousands are not parted there (OFX 2.2, 3.2.9.1), so a point is a decimal point whatever follows it."""
        text = "<OFX><STMTTRN><DTPOSTED>20261119<TRNAMT>-12.500<FITID>1<STMTTRN><DTPOSTED>20261120<TRNAMT>1234,560<FITID>2"
        self.assertEqual([row.units for row in read(text, USD)], [-1250, 123456])
        self.assertRaises(BadArgument, read, text.replace("500", "505"), USD)

    def test_refused(self) -> None:
        self.assertRaises(BadArgument, read, SGML, JPY)
        self.assertRaises(BadArgument, read, "<OFX><STMTTRN><TRNAMT>-1<FITID>1</STMTTRN>", USD)
        self.assertRaises(BadArgument, read, "<OFX><STMTTRN><DTPOSTED>20261119<FITID>1</STMTTRN>", USD)


class IdentityTests(SynchronousTestCase):
    """A row is known again, and two are never taken for one."""

    def test_by_id(self) -> None:
        """Whatever else has changed; in another account the same id is another row."""
        row = Row(date(2026, 11, 5), -350, "Bob", "", id="7", account="1")
        self.assertEqual(row.identity(), row._replace(payee="BOB", day=date(2026, 11, 6)).identity())
        self.assertNotEqual(row.identity(), row._replace(account="2").identity())

    def test_by_what_it_says(self) -> None:
        row = Row(date(2026, 11, 5), -350, "Bob", "bread", which=1)
        for other in (row._replace(which=2), row._replace(units=-351), row._replace(text="Bread"), row._replace(day=date(2026, 11, 6))):
            self.assertNotEqual(row.identity(), other.identity())
        self.assertNotEqual(row._replace(payee="ab", text="c").identity(), row._replace(payee="a", text="bc").identity())

    def test_counted(self) -> None:
        """Coffee twice a day is twice, in each file anew."""
        text = "Date,Amount,Text\n2026-11-05,-3,Coffee\n2026-11-06,-3,Coffee\n2026-11-05,-3,Coffee\n"
        self.assertEqual([row.which for row in read(text, USD)], [1, 1, 2])

    def test_no_id(self) -> None:
        """What stands for several payments is no id of one, whatever it is called: the second one would be taken for the first."""
        text = "Date,Amount,Text,{}\n2026-11-05,-3,Rent,7\n2026-12-05,-3,Rent,7\n2026-12-05,-9,Milk,8\n"
        self.assertEqual([row.id for row in read(text.format("Transaction ID"), USD)], ["", "", "8"])
        self.assertEqual([row.id for row in read(text.format("Reference Number"), USD)], ["", "", ""])


class FuzzTests(SynchronousTestCase):
    """Anything may be in a file."""

    @given(st.text(alphabet=st.sampled_from("<>/OFXSTMRN\n,;\"'.-0123456789 aDate\t\x00é"), max_size=300))
    @example("Date,Amount\n2026-11-05,\x00\n")
    @example('"')
    def test_refused_at_most(self, text: str) -> None:
        for prefix in ("", "Date,Amount,Text\n", "<OFX><STMTTRN>"):
            try:
                found = read(prefix + text, USD)
            except BadArgument:
                continue
            for row in found:
                self.assertTrue(row.units)
                self.assertLessEqual(len(row.text), MAX_TEXT)
