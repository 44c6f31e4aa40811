# A page from a text: the first line is its heading, each other one a paragraph.
BEGIN { print "<title>" title "</title>" }
NR == 1 { print "<h1>" $0 "</h1>"; next }
{ print "<p>" $0 "</p>" }
