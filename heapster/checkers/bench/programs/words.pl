# words.pl N: N rounds of what scripts do with text: split, count, join, sort.
use strict;
use warnings;

for my $round (1 .. $ARGV[0]) {
    my %seen;
    for my $i (1 .. 3000) {
        my $line = join " ", map { "w" . ($i * $_ * 7919 + $round) % 4001 } 1 .. 12;
        push @{ $seen{$_} }, $i for split / /, $line;
    }
    my $text = join "\n", map { "$_: @{ $seen{$_} }" } sort { @{ $seen{$b} } <=> @{ $seen{$a} } || $a cmp $b } keys %seen;
    die "nothing seen" unless length $text;
}
