#!/usr/bin/perl
# Gives a target a note in status.json, as a person with an editor would, and may kill servers right after:
#   edit.pl DIR rename|in-place|slow SERVER NOTE [SERVER'S-PID,... AFTER-MS]
# It exits with 1 when it has told the person that nothing was saved. Prints the generation of the text that was edited
# and the notes that the saved text has. One process: a fork is dear in User-Mode Linux.
use strict;
use warnings;
use IO::Handle;
use Time::HiRes 'sleep';

# What fails is told once, not by a warning as well.
$SIG{__WARN__} = sub { };

my ($directory, $how, $server, $note, $pids, $after) = @ARGV;
my $error = eval { save(); 1 } ? undef : $@;
if ($pids) {
  sleep $after / 1000;
  kill 'KILL', split /,/, $pids;
}
print STDERR $error if $error;
exit($error ? 1 : 0);

sub save {
  chdir $directory or die "chdir: $!\n";
  open my $from, '<', 'status.json' or die "open: $!\n";
  my $text = do { local $/; <$from> } // '';
  close $from;
  # A person sees what he saves: nothing that is cut off, nothing without the target.
  $text =~ /\}\n\z/ or die "unfinished text\n";
  if (index($text, qq("$note")) == -1) {
    $text =~ s/"server": "\Q$server\E",/$&\n      "note": "$note",/ or die "no target\n";
  }

  if ($how eq 'rename') {
    my $beside = ".edit-$note";
    open my $to, '>', $beside or die "open: $!\n";
    print $to $text or die "write: $!\n";
    close $to or die "close: $!\n";
    rename $beside, 'status.json' or die "rename: $!\n";
  } else {
    open my $to, $how eq 'slow' ? '+<' : '>', 'status.json' or die "open: $!\n";
    sleep 0.6 if $how eq 'slow';
    print $to $text or die "write: $!\n";
    $to->flush or die "flush: $!\n";
    truncate $to, length $text or die "truncate: $!\n";
    close $to or die "close: $!\n";
  }
  my ($generation) = $text =~ /"generation": (\d+)/;
  print join(' ', $generation // 0, $text =~ /"note": "([^"]*)"/g), "\n";
}
