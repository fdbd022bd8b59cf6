#!/usr/bin/perl
# Usage: apt-cache dumpavail | catalogue.pl DIRECTORY
# Reads Debian package stanzas and writes maintainer.tsv, section.tsv, package.tsv and dependency.tsv
# for COPY. A dependency row points to a package of the catalogue: of the alternatives `a | b` each is
# a row with the number of its group; what only a virtual package provides is left out.
use strict;
use warnings;

my $directory = shift or die "usage: catalogue.pl DIRECTORY\n";
my @kinds = (['pre-depends', 'Pre-Depends'], ['depends', 'Depends'],
             ['recommends', 'Recommends'], ['suggests', 'Suggests']);
my (%maintainer, %section, %package, @relations);

sub output {
    open my $file, '>', "$directory/$_[0].tsv" or die "$directory/$_[0].tsv: $!\n";
    return $file;
}

sub row {
    my $file = shift;
    print $file join("\t", map { escaped($_) } @_), "\n";
}

sub escaped {
    my ($value) = @_;
    return '\N' if !defined $value || $value eq '';
    $value =~ s/([\\\t\n\r])/{"\\" => "\\\\", "\t" => "\\t", "\n" => "\\n", "\r" => "\\r"}->{$1}/ge;
    return $value;
}

my %file = map { $_ => output($_) } qw(maintainer section package dependency);

$/ = '';    # a stanza at a time
while (my $stanza = <STDIN>) {
    my %field;
    $field{$1} = $2 while $stanza =~ /^([A-Za-z][A-Za-z0-9-]*): ?(.*)$/mg;
    my $name = $field{Package};
    next if !defined $name || exists $package{$name};
    my $key = $package{$name} = 1 + keys %package;

    my $by = $field{Maintainer} // 'unknown';
    if (!exists $maintainer{$by}) {
        $maintainer{$by} = 1 + keys %maintainer;
        my ($who, $email) = $by =~ /^\s*"?(.*?)"?\s*<([^>]*)>/ ? ($1, $2) : ($by, undef);
        row($file{maintainer}, $maintainer{$by}, $who ne '' ? $who : $email, $email);
    }
    my $in = $field{Section} || 'unknown';
    if (!exists $section{$in}) {
        $section{$in} = 1 + keys %section;
        row($file{section}, $section{$in}, $in);
    }
    row($file{package}, $key, $maintainer{$by}, $section{$in}, $name, $field{Version} // '0',
        $field{Architecture}, $field{Priority}, $field{'Installed-Size'}, $field{Size},
        $field{Homepage}, $field{Description});
    for my $kind (@kinds) {
        push @relations, [$key, $kind->[0], $field{$kind->[1]}] if defined $field{$kind->[1]};
    }
}

my $dependency = 0;
for my $relation (@relations) {
    my ($key, $kind, $text) = @$relation;
    my $group = 0;
    for my $clause (split /,/, $text) {
        ++$group;
        my $alternative = 0;
        for my $choice (split /\|/, $clause) {
            ++$alternative;
            next unless $choice =~ /^\s*([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?\s*(?:\(([^)]*)\))?/;
            my ($target, $constraint) = ($package{$1}, $2);
            next unless defined $target;
            row($file{dependency}, ++$dependency, $key, $target, $kind, $group, $alternative,
                $constraint);
        }
    }
}
for my $file (values %file) { close $file or die "cannot write: $!\n"; }
