// The Q35/ICH9 machine as ACPI describes it. What depends on the configuration (processors, PCI
// windows) comes in a generated SSDT: see acpi.cc.

DefinitionBlock ("", "DSDT", 2, "VTSIM ", "Q35ICH9 ", 1)
{
    External (\_SB.PCI0.W64B, IntObj)  // 64-bit PCI window; absent where the cores cannot address it
    External (\_SB.PCI0.W64L, IntObj)
    External (\_SB.PCI0.PRTP, PkgObj)  // INTx routing with the 8259s and with the I/O APIC
    External (\_SB.PCI0.PRTA, PkgObj)

    // SLP_TYP as this PM block decodes it (QEMU's values, which firmware and test suites assume).
    Name (\_S0, Package () { 0, 0, 0, 0 })
    Name (\_S3, Package () { 1, 1, 0, 0 })
    Name (\_S5, Package () { 0, 0, 0, 0 })

    // The OS tells its interrupt model: 0 PIC, 1 APIC.
    Name (\APIC, 0)
    Method (\_PIC, 1) { APIC = Arg0 }

    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A08"))  // PCI Express root bridge
            Name (_CID, EisaId ("PNP0A03"))
            Name (_UID, 0)
            Name (_SEG, 0)
            Name (_BBN, 0)

            Name (FIXR, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0x0000, 0x0000, 0x00FF, 0x0000, 0x0100)
                IO (Decode16, 0x0CF8, 0x0CF8, 0x01, 0x08)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x0000, 0x0000, 0x0CF7, 0x0000, 0x0CF8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x0000, 0x0D00, 0xFFFF, 0x0000, 0xF300)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                    0x00000000, 0x000A0000, 0x000BFFFF, 0x00000000, 0x00020000)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x00000000, 0x80000000, 0xAFFFFFFF, 0x00000000, 0x30000000)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x00000000, 0xC0000000, 0xFEBFFFFF, 0x00000000, 0x3EC00000)
            })
            Name (HIGR, ResourceTemplate ()
            {
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                    0x0, 0x100000000, 0x1FFFFFFFF, 0x0, 0x100000000, , , HIGW)
            })

            Method (_CRS, 0, Serialized)
            {
                If (!CondRefOf (W64B)) { Return (FIXR) }
                CreateQWordField (HIGR, ^HIGW._MIN, HMIN)
                CreateQWordField (HIGR, ^HIGW._MAX, HMAX)
                CreateQWordField (HIGR, ^HIGW._LEN, HLEN)
                HMIN = W64B
                HLEN = W64L
                HMAX = HMIN + HLEN - 1
                Return (ConcatenateResTemplate (FIXR, HIGR))
            }

            // PCI Firmware Specification "_OSC Interface for PCI Host Bridge Devices": the OS may
            // have every feature that exists here; there is no standard hot-plug controller (bit 1).
            Method (_OSC, 4)
            {
                CreateDWordField (Arg3, 0, STAT)
                If (Arg0 != ToUUID ("33DB4D5B-1FF7-401C-9657-7441C03DD766"))
                {
                    STAT |= 0x04  // unrecognized UUID
                    Return (Arg3)
                }
                CreateDWordField (Arg3, 8, CTRL)
                Local0 = CTRL & 0x3D
                If (Arg1 != 1) { STAT |= 0x08 }        // unknown revision
                If (CTRL != Local0) { STAT |= 0x10 }   // some were masked
                CTRL = Local0
                Return (Arg3)
            }

            Method (_PRT)
            {
                If (APIC) { Return (PRTA) }
                Return (PRTP)
            }

            Device (LPC)
            {
                Name (_ADR, 0x001F0000)

                OperationRegion (PIRQ, PCI_Config, 0x60, 0x0C)
                Field (PIRQ, ByteAcc, NoLock, Preserve)
                {
                    PRQA, 8, PRQB, 8, PRQC, 8, PRQD, 8,
                    Offset (0x08),
                    PRQE, 8, PRQF, 8, PRQG, 8, PRQH, 8
                }

                Device (RTC)
                {
                    Name (_HID, EisaId ("PNP0B00"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0070, 0x0070, 0x01, 0x08)
                        IRQNoFlags () { 8 }
                    })
                }
                Device (KBD)
                {
                    Name (_HID, EisaId ("PNP0303"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0060, 0x0060, 0x01, 0x01)
                        IO (Decode16, 0x0064, 0x0064, 0x01, 0x01)
                        IRQNoFlags () { 1 }
                    })
                }
                Device (MOU)
                {
                    Name (_HID, EisaId ("PNP0F13"))
                    Name (_CRS, ResourceTemplate () { IRQNoFlags () { 12 } })
                }
                Device (COM1)
                {
                    Name (_HID, EisaId ("PNP0501"))
                    Name (_UID, 1)
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x03F8, 0x03F8, 0x00, 0x08)
                        IRQNoFlags () { 4 }
                    })
                }
                Device (COM2)
                {
                    Name (_HID, EisaId ("PNP0501"))
                    Name (_UID, 2)
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x02F8, 0x02F8, 0x00, 0x08)
                        IRQNoFlags () { 3 }
                    })
                }
                Device (PIC)
                {
                    Name (_HID, EisaId ("PNP0000"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0020, 0x0020, 0x01, 0x02)
                        IO (Decode16, 0x00A0, 0x00A0, 0x01, 0x02)
                        IO (Decode16, 0x04D0, 0x04D0, 0x01, 0x02)
                        IRQNoFlags () { 2 }
                    })
                }
                Device (TIMR)
                {
                    Name (_HID, EisaId ("PNP0100"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0040, 0x0040, 0x01, 0x04)
                        IO (Decode16, 0x0061, 0x0061, 0x01, 0x01)
                        IRQNoFlags () { 0 }
                    })
                }

                // Addresses of the southbridge that no other device claims.
                Device (MBRD)
                {
                    Name (_HID, EisaId ("PNP0C02"))
                    Name (_UID, 1)
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0092, 0x0092, 0x01, 0x01)
                        IO (Decode16, 0x00B2, 0x00B2, 0x01, 0x02)
                        IO (Decode16, 0x0600, 0x0600, 0x01, 0x80)  // PMBASE
                        Memory32Fixed (ReadWrite, 0xFED1C000, 0x00004000)  // RCBA
                    })
                }
                Device (FWCF)
                {
                    Name (_HID, "QEMU0002")  // qemu/docs/specs/fw_cfg
                    Name (_STA, 0x0B)
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0510, 0x0510, 0x01, 0x0C)
                    })
                }
            }
        }

        // PCI Firmware Specification "MCFG Table Description": the ECAM is to be reserved here too.
        Device (ECAM)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, 2)
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadWrite, 0xB0000000, 0x10000000)
            })
        }

        Device (HPET)
        {
            Name (_HID, EisaId ("PNP0103"))
            Name (_UID, 0)
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadOnly, 0xFED00000, 0x00000400)
            })
        }

        // PIRQ[n]_ROUT: bit 7 set means "not routed"; otherwise bits 3:0 are the 8259 input.
        Name (LPRS, ResourceTemplate ()
        {
            IRQ (Level, ActiveLow, Shared) { 3, 4, 5, 6, 7, 10, 11, 12, 14, 15 }
        })
        Name (LIRQ, ResourceTemplate () { IRQ (Level, ActiveLow, Shared) { } })
        Method (LSTA, 1)
        {
            If (Arg0 & 0x80) { Return (0x09) }
            Return (0x0B)
        }
        Method (LCRS, 1, Serialized)
        {
            CreateWordField (LIRQ, 1, MASK)
            MASK = 0
            If (!(Arg0 & 0x80)) { MASK = 1 << (Arg0 & 0x0F) }
            Return (LIRQ)
        }
        Method (LSRS, 1)
        {
            CreateWordField (Arg0, 1, MASK)
            FindSetRightBit (MASK, Local0)
            Return (Local0 - 1)
        }

        Device (LNKA)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 1)
            Method (_STA) { Return (LSTA (\_SB.PCI0.LPC.PRQA)) }
            Method (_PRS) { Return (LPRS) }
            Method (_CRS) { Return (LCRS (\_SB.PCI0.LPC.PRQA)) }
            Method (_SRS, 1) { \_SB.PCI0.LPC.PRQA = LSRS (Arg0) }
            Method (_DIS) { \_SB.PCI0.LPC.PRQA |= 0x80 }
        }
        Device (LNKB)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 2)
            Method (_STA) { Return (LSTA (\_SB.PCI0.LPC.PRQB)) }
            Method (_PRS) { Return (LPRS) }
            Method (_CRS) { Return (LCRS (\_SB.PCI0.LPC.PRQB)) }
            Method (_SRS, 1) { \_SB.PCI0.LPC.PRQB = LSRS (Arg0) }
            Method (_DIS) { \_SB.PCI0.LPC.PRQB |= 0x80 }
        }
        Device (LNKC)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 3)
            Method (_STA) { Return (LSTA (\_SB.PCI0.LPC.PRQC)) }
            Method (_PRS) { Return (LPRS) }
            Method (_CRS) { Return (LCRS (\_SB.PCI0.LPC.PRQC)) }
            Method (_SRS, 1) { \_SB.PCI0.LPC.PRQC = LSRS (Arg0) }
            Method (_DIS) { \_SB.PCI0.LPC.PRQC |= 0x80 }
        }
        Device (LNKD)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 4)
            Method (_STA) { Return (LSTA (\_SB.PCI0.LPC.PRQD)) }
            Method (_PRS) { Return (LPRS) }
            Method (_CRS) { Return (LCRS (\_SB.PCI0.LPC.PRQD)) }
            Method (_SRS, 1) { \_SB.PCI0.LPC.PRQD = LSRS (Arg0) }
            Method (_DIS) { \_SB.PCI0.LPC.PRQD |= 0x80 }
        }
        Device (LNKE)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 5)
            Method (_STA) { Return (LSTA (\_SB.PCI0.LPC.PRQE)) }
            Method (_PRS) { Return (LPRS) }
            Method (_CRS) { Return (LCRS (\_SB.PCI0.LPC.PRQE)) }
            Method (_SRS, 1) { \_SB.PCI0.LPC.PRQE = LSRS (Arg0) }
            Method (_DIS) { \_SB.PCI0.LPC.PRQE |= 0x80 }
        }
        Device (LNKF)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 6)
            Method (_STA) { Return (LSTA (\_SB.PCI0.LPC.PRQF)) }
            Method (_PRS) { Return (LPRS) }
            Method (_CRS) { Return (LCRS (\_SB.PCI0.LPC.PRQF)) }
            Method (_SRS, 1) { \_SB.PCI0.LPC.PRQF = LSRS (Arg0) }
            Method (_DIS) { \_SB.PCI0.LPC.PRQF |= 0x80 }
        }
        Device (LNKG)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 7)
            Method (_STA) { Return (LSTA (\_SB.PCI0.LPC.PRQG)) }
            Method (_PRS) { Return (LPRS) }
            Method (_CRS) { Return (LCRS (\_SB.PCI0.LPC.PRQG)) }
            Method (_SRS, 1) { \_SB.PCI0.LPC.PRQG = LSRS (Arg0) }
            Method (_DIS) { \_SB.PCI0.LPC.PRQG |= 0x80 }
        }
        Device (LNKH)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 8)
            Method (_STA) { Return (LSTA (\_SB.PCI0.LPC.PRQH)) }
            Method (_PRS) { Return (LPRS) }
            Method (_CRS) { Return (LCRS (\_SB.PCI0.LPC.PRQH)) }
            Method (_SRS, 1) { \_SB.PCI0.LPC.PRQH = LSRS (Arg0) }
            Method (_DIS) { \_SB.PCI0.LPC.PRQH |= 0x80 }
        }
    }
}
