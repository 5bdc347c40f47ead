"""What boots: facts of installer images, the rules they must obey, and the boot menus derived from them.

Pure: this package reads no file and starts nothing. `inspect` turns what an `IsoReader` found into `IsoFacts`,
`suit` says whether that image can do what the fleet asks of it, `grub` reads GRUB scripts, `menu` derives the
boot menu that Ventoy shows in place of the image's own, and `standin` makes the small images of the demo.
"""
